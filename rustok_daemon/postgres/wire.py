"""The half that lives in the asyncio thread: asyncpg's pool and connections, every await bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import asyncpg
import msgspec

from .errors import DatabaseUnavailable, OutcomeUnknown, QueryFailed, UnreadableValue

_LOST = (
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.ConnectionFailureError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a goodbye from the server in between leaves asyncpg's state machine in
    ConnectionError,
    OSError,
)
_UNREADABLE = (ArithmeticError, ValueError, RecursionError)
"""How asyncpg's decoders, and ours, give up on a value."""
_CONNECT_WITHIN = 5.0
_READ_ATTEMPTS = 4
_ROLL_BACK_WITHIN = 0.5


class Lease:
    """A connection that somebody holds: for a transaction, or to listen."""

    __slots__ = ("committed", "connection", "turn")

    def __init__(self) -> None:
        self.connection: Any = None
        self.committed = False
        self.turn = asyncio.Lock()
        """Held by whoever uses it, where more than one may."""


class PlainConnection(asyncpg.Connection):
    """Leaves nothing behind between uses by our own discipline, and so saves the reset query's round trip."""

    def get_reset_query(self) -> str:
        return ""


class Wire:
    """Connections to one server. Made, used and closed in the asyncio thread only."""

    def __init__(self, url: str, *, min_size: int, max_size: int, statement_timeout: float, name: str) -> None:
        self._url = url
        self._min_size = min_size
        self._settings = {"application_name": name, "statement_timeout": str(round(statement_timeout * 1000))}
        self._max_size = max_size
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Makes the pool; connects nothing yet, so that a server that is down is no error here."""
        self._pool = asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._max_size,
            max_inactive_connection_lifetime=0,
            connection_class=PlainConnection,
            init=_init,
            server_settings=self._settings,
            timeout=_CONNECT_WITHIN,
        )
        with translated():
            await self._pool

    async def close(self) -> None:
        """Does not wait for a server that may be frozen."""
        if self._pool is not None:
            self._pool.terminate()

    async def warm(self, within: float) -> None:
        """Brings the pool to its smallest size."""
        await asyncio.gather(*(self.run("fetchval", "select 1", (), within, read=True) for _ in range(self._min_size)))

    def sizes(self) -> tuple[int, int]:
        """Connections that work, and that wait."""
        if self._pool is None:
            return (0, 0)
        idle = self._pool.get_idle_size()
        return (self._pool.get_size() - idle, idle)

    async def run(self, method: str, sql: str, args: Sequence[object], within: float, *, read: bool) -> Any:
        """One statement on a connection of the pool. A read whose connection was cut is repeated on a fresh one."""
        with translated():
            async with _bounded(within):
                for attempt in range(_READ_ATTEMPTS):
                    try:
                        return await self._once(method, sql, args)
                    except _LOST:
                        if not read or attempt == _READ_ATTEMPTS - 1 or not await self._reachable():
                            raise
        raise AssertionError("unreachable")

    async def _once(self, method: str, sql: str, args: Sequence[object]) -> Any:
        async with self.borrowed() as connection:
            return await getattr(connection, method)(sql, *args)

    async def _reachable(self) -> bool:
        """Whether another attempt has a point: a server that is down is said to be down at once."""
        try:
            connection = await asyncpg.connect(self._url, timeout=_CONNECT_WITHIN)
        except (*_LOST, asyncpg.PostgresError):
            return False
        connection.terminate()
        return True

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[Any]:
        """A connection of the pool. One that is left in the middle of something is cut, not asked to stop."""
        assert self._pool is not None
        connection = await self._pool.acquire()
        try:
            yield connection
        except BaseException as error:
            if not isinstance(error, asyncpg.PostgresError) or isinstance(error, _LOST):
                _cut(connection)
            raise
        finally:
            await self._pool.release(connection, timeout=_ROLL_BACK_WITHIN)

    async def begin(self, lease: Lease, within: float) -> None:
        """Fills ``lease`` with a connection on which a transaction was begun; ``end`` must follow, whatever happens."""
        assert self._pool is not None
        with translated():
            async with _bounded(within):
                lease.connection = await self._pool.acquire()
                await lease.connection.execute("begin")

    async def statement(self, connection: Any, method: str, sql: str, args: Sequence[object], within: float) -> Any:
        """One statement on a connection that is held."""
        with translated():
            async with _bounded(within):
                return await getattr(connection, method)(sql, *args)

    async def commit(self, lease: Lease, within: float) -> None:
        """Raises ``OutcomeUnknown`` when the answer does not come."""
        try:
            async with asyncio.timeout(within):
                await lease.connection.execute("commit")
        except (*_LOST, TimeoutError, asyncio.CancelledError) as error:
            raise OutcomeUnknown("the commit was sent, but its answer did not come") from error
        except asyncpg.PostgresError as error:
            raise as_ours(error) from error
        lease.committed = True

    async def end(self, lease: Lease) -> None:
        """Gives the connection back; rolled back if it answers in time, else cut."""
        connection, lease.connection = lease.connection, None
        if connection is None:
            return
        assert self._pool is not None
        if not lease.committed:
            try:
                async with asyncio.timeout(_ROLL_BACK_WITHIN):
                    await connection.execute("rollback")
            except (*_LOST, asyncpg.PostgresError, TimeoutError):
                _cut(connection)
        with suppress(*_LOST, asyncpg.PostgresError, TimeoutError):  # what was committed stays so
            await self._pool.release(connection, timeout=_ROLL_BACK_WITHIN)

    async def connect(self, **settings: str) -> Any:
        """A connection of one's own, outside the pool."""
        with translated():
            async with _bounded(_CONNECT_WITHIN):
                connection = await asyncpg.connect(
                    self._url, timeout=_CONNECT_WITHIN, server_settings={**self._settings, **settings}
                )
                await _init(connection)
                return connection


def _cut(connection: Any) -> None:
    """One that the server ended meanwhile has gone back to the pool by itself, and is nobody's to touch."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _init(connection: Any) -> None:
    for kind in ("jsonb", "json"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=_encode, decoder=_decode, format="text")


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _decode(text: str) -> object:
    """msgspec refuses numbers beyond a double; Postgres stores them all the same."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)


@asynccontextmanager
async def _bounded(within: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(within):
            yield
    except TimeoutError as error:
        raise DatabaseUnavailable(f"no answer from Postgres within {within:g} s") from error


@contextmanager
def translated() -> Iterator[None]:
    """asyncpg's exceptions become ours."""
    try:
        yield
    except (*_LOST, asyncpg.PostgresError) as error:
        raise as_ours(error) from error
    except _UNREADABLE as error:
        raise UnreadableValue(f"a value in the database cannot be read: {error}") from error


def as_ours(error: BaseException) -> Exception:
    """What this room raises for an exception of asyncpg's."""
    if isinstance(error, asyncpg.QueryCanceledError):
        return DatabaseUnavailable("the statement took longer than database.statement_timeout")
    if isinstance(error, asyncpg.PostgresError) and not isinstance(error, _LOST):
        return QueryFailed(
            str(error),
            sqlstate=error.sqlstate or "",
            constraint=getattr(error, "constraint_name", None),
            column=getattr(error, "column_name", None),
        )
    return DatabaseUnavailable(str(error) or type(error).__name__)
