"""One row of ``tenants``, read by one of its names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.identities import Identity
from actors.messages import Tenant
from rustok_daemon.postgres.errors import QueryFailed, UnreadableValue
from rustok_daemon.postgres.interface import Database, Row
from rustok_daemon.supervision.actor import ViewRef

from .sql import LOAD

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


_DATA = "22"
"""The class of SQLSTATE of values that cannot be: text in a SQL_ASCII database that is no UTF-8."""


class Loader:
    """Reads through the pool, within ``within`` seconds."""

    def __init__(self, database: ViewRef[Database], within: float, log: FilteringBoundLogger) -> None:
        self._database = database
        self._within = within
        self._log = log
        self._last_reason: str | None = None

    async def load(self, identity: Identity) -> Tenant | None:
        """``None``: nobody has this name. Raises ``DatabaseError``, ``ActorUnavailable``."""
        try:
            row = await self._row(identity)
            return None if row is None else tenant_of(row)
        except (QueryFailed, UnreadableValue) as error:
            self._tell(identity, str(error))
            raise

    async def _row(self, identity: Identity) -> Row | None:
        sql, database = LOAD[identity.kind], self._database.get()
        try:
            return await database.fetchrow(sql, identity.value, name="select tenants", within=self._within)
        except QueryFailed as error:
            if error.sqlstate.startswith(_DATA):
                raise UnreadableValue(str(error)) from error
            raise

    def _tell(self, identity: Identity, reason: str) -> None:
        """Once for each reason: those who ask are told no more than that it failed, as often as they ask."""
        if reason != self._last_reason:
            self._last_reason = reason
            self._log.error("a tenant could not be read", kind=identity.kind, name=identity.value, reason=reason)


def tenant_of(row: Row) -> Tenant:
    """Raises ``UnreadableValue`` for what RusToK's columns cannot hold, as long as they are RusToK's."""
    columns = {name: row[name] for name in Tenant.__struct_fields__}
    try:
        return msgspec.convert({**columns, "settings": json_of(row, "settings")}, Tenant)
    except msgspec.ValidationError as error:
        raise UnreadableValue(f"tenant {row['id']}: {error}") from error


def json_of(row: Row, column: str) -> msgspec.Raw:
    """The JSON that a statement cast to text. Raises ``UnreadableValue``."""
    text = row[column]
    if not isinstance(text, str):
        raise UnreadableValue(f"{column} holds no JSON")
    return msgspec.Raw(text.encode())
