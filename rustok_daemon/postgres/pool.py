"""The view other rooms borrow: statements, transactions and listeners, bound to the fence of whoever holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from rustok_daemon.asyncio_side import Side, SideDied
from rustok_daemon.supervision.actor import Fence

from .errors import DatabaseUnavailable, OutcomeUnknown
from .interface import Connection, Database, Listener, Row
from .listener import open_listener
from .metrics import DatabaseMetrics
from .wire import Lease, Wire


class Pool:
    """What all handles share."""

    def __init__(self, side: Side, wire: Wire, metrics: DatabaseMetrics, statement_timeout: float) -> None:
        self.side = side
        self.wire = wire
        self.metrics = metrics
        self.statement_timeout = statement_timeout
        self.available = False
        """Connected and migrated at the last attempt."""
        self.suspected = trio.Event()
        """Set when a call found the server gone, so that nobody waits for the next look at it."""

    def suspect(self) -> None:
        self.suspected.set()


class PoolHandle(Database):
    """One holder's way to the pool; refuses it with ``Fenced`` once its fence is raised."""

    def __init__(self, pool: Pool, fence: Fence | None = None) -> None:
        self._pool = pool
        self._fence = fence

    def held_by(self, fence: Fence) -> PoolHandle:
        return PoolHandle(self._pool, fence)

    @property
    def available(self) -> bool:
        return self._pool.available

    async def fetch(self, sql: str, *args: object, name: str, within: float | None = None) -> Sequence[Row]:
        rows: Sequence[Row] = await self._run("fetch", sql, args, name, within)
        return rows

    async def fetchrow(self, sql: str, *args: object, name: str, within: float | None = None) -> Row | None:
        row: Row | None = await self._run("fetchrow", sql, args, name, within)
        return row

    async def fetchval(self, sql: str, *args: object, name: str, within: float | None = None) -> Any:
        return await self._run("fetchval", sql, args, name, within)

    async def execute(self, sql: str, *args: object, name: str, within: float | None = None) -> str:
        tag: str = await self._run("execute", sql, args, name, within)
        return tag

    async def ping(self, *, within: float = 2.0) -> None:
        await self._run("fetchval", "select 1", (), "select ping", within)

    async def _run(self, method: str, sql: str, args: Sequence[object], name: str, within: float | None) -> Any:
        self._check()
        bound = self._bound(within)
        read = name.startswith("select")
        with self._pool.metrics.measured(name):
            try:
                return await self._on_side(lambda: self._pool.wire.run(method, sql, args, bound, read=read))
            except DatabaseUnavailable:
                self._pool.suspect()
                raise

    async def _on_side(self, function: Any) -> Any:
        try:
            return await self._pool.side.run(function)
        except SideDied as error:
            raise DatabaseUnavailable(str(error)) from error

    def _bound(self, within: float | None) -> float:
        return self._pool.statement_timeout if within is None else within

    def _check(self) -> None:
        if self._fence is not None:
            self._fence.check()

    @asynccontextmanager
    async def transaction(self, *, name: str, within: float | None = None) -> AsyncIterator[Connection]:
        """Commits at the end of the block, rolls back when it is left by an error."""
        self._check()
        bound = self._bound(within)
        wire, lease = self._pool.wire, Lease()
        with self._pool.metrics.measured(name):
            try:
                await self._on_side(lambda: wire.begin(lease, bound))
                yield _InTransaction(self, lease.connection, bound)
                self._check()
                await self._commit(lease, bound)
            except DatabaseUnavailable:
                self._pool.suspect()
                raise
            finally:
                with trio.CancelScope(shield=True), suppress(SideDied):  # its connections are gone with it
                    await self._pool.side.run(wire.end, lease)

    async def _commit(self, lease: Lease, bound: float) -> None:
        """A cancel that is there before it rolls back; one that comes while the commit is on its way is told as unknown."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            await self._pool.side.run(self._pool.wire.commit, lease, bound)
        except SideDied as error:
            raise OutcomeUnknown("the commit was sent, and nobody is left to hear its answer") from error
        except trio.Cancelled as cancelled:
            if not lease.committed:
                raise OutcomeUnknown("the commit was sent and cancelled before its answer came") from cancelled

    @asynccontextmanager
    async def listen(self, *channels: str, heartbeat: float = 2.0, lost_after: float = 5.0) -> AsyncIterator[Listener]:
        self._check()
        try:
            async with open_listener(self._pool.side, self._pool.wire, channels, heartbeat, lost_after) as listener:
                yield listener
        except SideDied as error:
            raise DatabaseUnavailable(str(error)) from error


class _InTransaction(Connection):
    """The connection inside of a transaction."""

    def __init__(self, handle: PoolHandle, raw: Any, within: float) -> None:
        self._handle = handle
        self._raw = raw
        self._within = within

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        rows: Sequence[Row] = await self._run("fetch", sql, args)
        return rows

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        row: Row | None = await self._run("fetchrow", sql, args)
        return row

    async def fetchval(self, sql: str, *args: object) -> Any:
        return await self._run("fetchval", sql, args)

    async def execute(self, sql: str, *args: object) -> str:
        tag: str = await self._run("execute", sql, args)
        return tag

    async def _run(self, method: str, sql: str, args: Sequence[object]) -> Any:
        handle = self._handle
        handle._check()
        wire = handle._pool.wire
        return await handle._on_side(lambda: wire.statement(self._raw, method, sql, args, self._within))
