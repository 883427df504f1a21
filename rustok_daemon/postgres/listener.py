"""LISTEN on a connection of its own, with a heartbeat through it: a half-open connection is found in seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from rustok_daemon.asyncio_side import Side, SideStream, StreamOverflowed
from rustok_daemon.supervision.errors import unwrap

from .errors import DatabaseUnavailable
from .interface import Listener
from .wire import Lease, Wire, translated

_CAPACITY = 10_000
_LISTEN_WITHIN = 5.0
_ANSWER_WITHIN = 5.0


class SideListener(Listener):
    """Notifications arrive in the order of their commits; one that is lost ends the listener, never silently."""

    def __init__(self, side: Side, wire: Wire, lease: Lease, stream: SideStream[tuple[str, str]]) -> None:
        self._side = side
        self._wire = wire
        self._lease = lease
        self._stream = stream

    async def receive(self) -> tuple[str, str]:
        try:
            return await self._stream.get()
        except StreamOverflowed as error:
            raise DatabaseUnavailable(str(error)) from error

    async def fetchval(self, sql: str, *args: object) -> Any:
        return await self._side.run(_asked, self._wire, self._lease, sql, args, _ANSWER_WITHIN)


@asynccontextmanager
async def open_listener(
    side: Side, wire: Wire, channels: Sequence[str], heartbeat: float, lost_after: float
) -> AsyncIterator[SideListener]:
    """Entered once the server has confirmed every channel. Raises ``DatabaseUnavailable``.

    What leaves the block leaves as it is: that a nursery lies in between is nobody's business.
    """
    stream: SideStream[tuple[str, str]] = SideStream(side, _CAPACITY)
    lease = Lease()
    try:
        await side.run(_listen, wire, channels, stream, lease)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_beat, side, wire, lease, stream, heartbeat, lost_after)
            yield SideListener(side, wire, lease, stream)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise unwrap(group) from None
    finally:
        side.call_soon(_cut, lease)


def _cut(lease: Lease) -> None:
    if lease.connection is not None:
        lease.connection.terminate()


async def _listen(wire: Wire, channels: Sequence[str], stream: SideStream[tuple[str, str]], lease: Lease) -> None:
    """In the asyncio thread."""
    connection = lease.connection = await wire.connect(statement_timeout="5000")

    def heard(_connection: object, _pid: int, channel: str, payload: str) -> None:
        stream.put((channel, payload))

    def lost(_connection: object) -> None:
        stream.end(DatabaseUnavailable("the listening connection was lost"))

    connection.add_termination_listener(lost)
    with translated():
        try:
            async with asyncio.timeout(_LISTEN_WITHIN):
                for channel in channels:
                    await connection.add_listener(channel, heard)
        except TimeoutError as error:
            raise DatabaseUnavailable("LISTEN was not answered") from error


async def _beat(
    side: Side, wire: Wire, lease: Lease, stream: SideStream[tuple[str, str]], heartbeat: float, lost_after: float
) -> None:
    """In trio: asks through the same connection; silence is loss."""
    while True:
        await trio.sleep(heartbeat)
        try:
            await side.run(_asked, wire, lease, "select 1", (), lost_after - heartbeat)
        except Exception as error:
            stream.close(
                DatabaseUnavailable(f"the listening connection does not answer: {error or type(error).__name__}")
            )
            return


async def _asked(wire: Wire, lease: Lease, sql: str, args: Sequence[object], within: float) -> Any:
    """One statement at a time: the heartbeat waits for what its owner asks, and that is a sign of life as well."""
    try:
        async with asyncio.timeout(within), lease.turn:
            return await wire.statement(lease.connection, "fetchval", sql, args, within)
    except TimeoutError as error:
        raise DatabaseUnavailable(f"no answer from Postgres within {within:g} s") from error
