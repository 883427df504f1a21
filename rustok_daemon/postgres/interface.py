"""What other rooms see of Postgres: a pool they borrow as a view, never asyncpg itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Row = Mapping[str, Any]


class Connection(Protocol):
    """One connection inside ``Database.transaction``. Raises what ``errors.py`` of this room names, never asyncpg's own."""

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]: ...

    async def fetchrow(self, sql: str, *args: object) -> Row | None: ...

    async def fetchval(self, sql: str, *args: object) -> Any: ...

    async def execute(self, sql: str, *args: object) -> str: ...


class Listener(Protocol):
    """One connection kept for LISTEN, with a heartbeat through the channel itself."""

    async def receive(self) -> tuple[str, str]:
        """Waits for ``(channel, payload)``. Raises ``DatabaseUnavailable`` once the connection is lost."""

    async def fetchval(self, sql: str, *args: object) -> Any: ...


class Database(Protocol):
    """The view the ``database`` actor publishes. Every call is bounded by ``within`` seconds (default: the statement timeout).

    Raises ``DatabaseUnavailable`` (not connected, refused, lost, pool exhausted within the time, timed out),
    ``OutcomeUnknown`` (a commit that was cut), ``QueryFailed`` (its sqlstate and constraint as attributes),
    ``UnreadableValue``, ``Fenced``.
    Reads that lost their connection to a server that ended it (57P01 and the like) are repeated once on a fresh one.
    ``name`` labels the metrics (``query_type`` and ``table``) as ``"select tenants"``.
    """

    @property
    def available(self) -> bool:
        """Connected and migrated at the last attempt."""

    async def fetch(self, sql: str, *args: object, name: str, within: float | None = None) -> Sequence[Row]: ...

    async def fetchrow(self, sql: str, *args: object, name: str, within: float | None = None) -> Row | None: ...

    async def fetchval(self, sql: str, *args: object, name: str, within: float | None = None) -> Any: ...

    async def execute(self, sql: str, *args: object, name: str, within: float | None = None) -> str: ...

    def transaction(self, *, name: str, within: float | None = None) -> AbstractAsyncContextManager[Connection]: ...

    def listen(
        self, *channels: str, heartbeat: float = 2.0, lost_after: float = 5.0
    ) -> AbstractAsyncContextManager[Listener]:
        """Opens a connection of its own outside the pool and listens."""

    async def ping(self, *, within: float = 2.0) -> None: ...
