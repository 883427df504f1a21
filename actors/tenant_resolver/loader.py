"""One row of ``tenants``, read by one of its names."""

from __future__ import annotations

import msgspec

from actors.identities import Identity
from actors.messages import Tenant
from rustok_daemon.postgres.interface import Database, Row
from rustok_daemon.supervision.actor import ViewRef

from .sql import LOAD


class Loader:
    """Reads through the pool, within ``within`` seconds."""

    def __init__(self, database: ViewRef[Database], within: float) -> None:
        self._database = database
        self._within = within

    async def load(self, identity: Identity) -> Tenant | None:
        """``None``: nobody has this name. Raises ``DatabaseError``, ``ActorUnavailable``."""
        sql = LOAD[identity.kind]
        row = await self._database.get().fetchrow(sql, identity.value, name="select tenants", within=self._within)
        return None if row is None else tenant_of(row)


def tenant_of(row: Row) -> Tenant:
    return Tenant(
        id=row["id"],
        name=row["name"],
        slug=row["slug"],
        domain=row["domain"],
        settings=msgspec.Raw(row["settings"].encode()),
        is_active=row["is_active"],
        default_locale=row["default_locale"],
    )
