"""The half of the client that trio sees."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import trio

from rustok_daemon.asyncio_side import Side, SideDied, SideStream, StreamOverflowed

from .errors import RedisError, RedisUnavailable
from .interface import Subscription

if TYPE_CHECKING:
    from rustok_daemon.supervision.actor import Fence

    from .wire import Wire

_WAITING_MESSAGES = 10_000
"""What a reader may fall behind before its subscription counts as lost."""


@asynccontextmanager
async def open_redis(side: Side, url: str, timeout: float) -> AsyncIterator[RedisClient]:
    """A client for the length of the block; it connects when it is used. ``timeout`` in seconds bounds every call."""
    wire = await side.run(_make, await trio.to_thread.run_sync(_import_wire), url, timeout)
    try:
        async with trio.open_nursery() as nursery:
            yield RedisClient(side, wire, nursery)
            nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(timeout, shield=True), suppress(SideDied):  # what is gone is closed
            await side.run(wire.close)


class RedisClient:
    """``interface.Redis`` over the asyncio thread. Made by ``open_redis``."""

    def __init__(self, side: Side, wire: Wire, nursery: trio.Nursery, fence: Fence | None = None) -> None:
        self._side = side
        self._wire = wire
        self._nursery = nursery
        self._fence = fence

    def held_by(self, fence: Fence) -> RedisClient:
        """The same client, refusing its holder once that was abandoned."""
        return RedisClient(self._side, self._wire, self._nursery, fence)

    async def publish(self, channel: str, *payloads: bytes) -> None:
        await self._run(self._wire.publish, channel, payloads)

    async def ping(self) -> None:
        await self._run(self._wire.ping)

    @asynccontextmanager
    async def subscribe(
        self, *channels: str, heartbeat: float = 2.0, lost_after: float = 5.0
    ) -> AsyncIterator[Subscription]:
        self._check_fence()
        feed = _Feed(self._side)
        self._nursery.start_soon(feed.run, self._wire, channels, heartbeat, lost_after)
        try:
            await feed.subscribed()
            yield feed
        finally:
            feed.stop()

    async def _run(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        self._check_fence()
        await _translated(self._side.run(function, *args))

    def _check_fence(self) -> None:
        if self._fence is not None:
            self._fence.check()


class _Feed:
    """One subscription's way from the asyncio thread to its reader."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._stream: SideStream[tuple[str, bytes]] = SideStream(side, _WAITING_MESSAGES)
        self._scope = trio.CancelScope()
        self._settled = trio.Event()
        self._error: RedisError | None = None

    async def run(self, wire: Wire, channels: tuple[str, ...], heartbeat: float, lost_after: float) -> None:
        """Ends with the subscription, and never with an exception: that is for the reader."""
        error: RedisError = RedisUnavailable("unsubscribed")
        try:
            with self._scope:
                await _translated(
                    self._side.run(wire.listen, channels, heartbeat, lost_after, self._confirmed, self._stream.put)
                )
        except RedisError as lost:
            error = lost
        self._error = error
        self._stream.close(error)
        self._settled.set()

    def stop(self) -> None:
        self._scope.cancel()

    async def subscribed(self) -> None:
        """Waits until the server confirmed. Raises why it did not."""
        await self._settled.wait()
        if self._error is not None:
            raise self._error

    async def receive(self) -> tuple[str, bytes]:
        try:
            return await self._stream.get()
        except StreamOverflowed as error:
            raise RedisUnavailable("the reader fell behind") from error

    def _confirmed(self) -> None:
        self._side.to_trio(self._settled.set)


def _import_wire() -> type[Wire]:
    """redis-py takes a fifth of a second to import: who connects pays for it, in a thread, and no command does."""
    from .wire import Wire

    return Wire


async def _make(kind: type[Wire], url: str, timeout: float) -> Wire:
    """In the asyncio thread, like all that touches the wire."""
    return kind(url, timeout)


async def _translated(call: Awaitable[None]) -> None:
    try:
        await call
    except SideDied as error:
        raise RedisUnavailable(str(error)) from error
