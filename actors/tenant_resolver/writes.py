"""Changes of tenants: the row and its invalidation are committed together, and applied here before anyone is told.

What other daemons need is in the transaction: the triggers' notifications. What this one needs follows the commit at
once, also when its outcome is not known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import msgspec
import trio

from actors.identities import Identity, identities_of
from actors.ids import new_id
from actors.messages import TenantDirectory
from rustok_daemon.postgres.errors import (
    DatabaseError,
    DatabaseUnavailable,
    OutcomeUnknown,
    QueryFailed,
    UnreadableValue,
)
from rustok_daemon.postgres.interface import Connection, Database, Row
from rustok_daemon.supervision.actor import Request, ViewRef
from rustok_daemon.supervision.errors import ActorUnavailable, ReplyError

from . import sql
from .bounds import TooBig
from .merging import merged_settings
from .records import (
    LocaleState,
    Module,
    ModuleState,
    NewTenant,
    TenantLocale,
    TenantPatch,
    TenantRecord,
    locale_of,
    module_of,
    record_of,
)

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_WITHIN = 10.0
_ANNOUNCED_WITHIN = 2.0
_UNIQUE = "23505"
_FOREIGN_KEY = "23503"
_OF_THE_DATA = ("22", "23", "44", "P0")
"""Classes of SQLSTATE that speak of what was to be written: bad data, a constraint, a view's check, a trigger's own word."""

Why = Literal[
    "unknown_tenant",
    "slug_taken",
    "domain_taken",
    "default_tenant",
    "in_use",
    "settings_too_big",
    "rejected",
    "unreadable",
    "unavailable",
    "outcome_unknown",
]


class Refused(ReplyError):
    """A write that did not happen, or of which nobody knows whether it did (``outcome_unknown``)."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why


class CreateTenant(Request[TenantRecord], frozen=True):
    """Makes it. Refused: slug or domain taken, rejected, unavailable, outcome unknown."""

    tenant: NewTenant


class UpdateTenant(Request[TenantRecord], frozen=True):
    """Merges the patch (RFC 7396). Refused as ``CreateTenant``, and: unknown tenant, settings too big."""

    id: UUID
    patch: TenantPatch


class DeleteTenant(Request[None], frozen=True):
    """Deletes it with all that belongs to it. Refused: unknown tenant, the default one, in use."""

    id: UUID


class PutModule(Request[Module], frozen=True):
    """Switches a module, adding it if need be. Refused: unknown tenant."""

    tenant_id: UUID
    slug: str
    state: ModuleState


class PutLocale(Request[TenantLocale], frozen=True):
    """Adds or replaces a locale; a default one takes the default from the others. Refused: unknown tenant."""

    tenant_id: UUID
    locale: str
    state: LocaleState


class InvalidateTenant(Request[bool], frozen=True):
    """Answered with whether other daemons were told, too: not while the database is down."""

    id: UUID


class Writer:
    """Carries the requests out. Raises ``Refused``."""

    def __init__(
        self, database: ViewRef[Database], directory: TenantDirectory, default_id: UUID, log: FilteringBoundLogger
    ) -> None:
        self._database = database
        self._directory = directory
        self._default_id = default_id
        self._log = log

    async def create(self, new: NewTenant) -> TenantRecord:
        id = new_id()
        async with self._changing("insert tenants", id, new.slug, new.domain) as connection:
            row = await connection.fetchrow(
                sql.INSERT, id, new.name, new.slug, new.domain, new.settings, new.is_active, new.default_locale
            )
            return record_of(_written(row))

    async def update(self, id: UUID, patch: TenantPatch) -> TenantRecord:
        given = {name: value for name, value in msgspec.structs.asdict(patch).items() if value is not msgspec.UNSET}
        names: set[Identity] = set()
        async with self._transaction("update tenants", names) as connection:
            before = await _locked(connection, id)
            names.update(identities_of(before.id, before.slug, before.domain))
            after = _merged(before, given)
            names.update(identities_of(id, after["slug"], after["domain"]))
            row = await connection.fetchrow(sql.UPDATE, id, *after.values())
            return record_of(_written(row))

    async def delete(self, id: UUID) -> None:
        if id == self._default_id:
            raise Refused("default_tenant", "this is tenant.default_id: it cannot be deleted")
        names: set[Identity] = set()
        async with self._transaction("delete tenants", names) as connection:
            row = await connection.fetchrow(sql.DELETE, id)
            if row is None:
                raise _unknown(id)
            names.update(identities_of(row["id"], row["slug"], row["domain"]))

    async def put_module(self, tenant_id: UUID, slug: str, state: ModuleState) -> Module:
        settings = None if state.settings is msgspec.UNSET else state.settings
        async with self._changing("insert tenant_modules", tenant_id) as connection:
            await _locked(connection, tenant_id)
            row = await connection.fetchrow(sql.PUT_MODULE, new_id(), tenant_id, slug, state.enabled, settings)
            return module_of(_written(row))

    async def put_locale(self, tenant_id: UUID, locale: str, state: LocaleState) -> TenantLocale:
        """One default a tenant: the one before it gives way (RusToK's later schema refuses two)."""
        async with self._changing("insert tenant_locales", tenant_id) as connection:
            await _locked(connection, tenant_id)
            if state.is_default:
                await connection.execute(sql.UNSET_DEFAULT, tenant_id, locale)
            row = await connection.fetchrow(
                sql.PUT_LOCALE,
                new_id(),
                tenant_id,
                locale,
                state.name,
                state.native_name,
                state.is_enabled,
                state.is_default,
                state.fallback_locale,
            )
            return locale_of(_written(row))

    async def invalidate(self, id: UUID) -> bool:
        """Here at once; elsewhere by the channel, as if the tenant had changed.

        An absence may be cached under a name that the tenant has got since, so its names are read. While that cannot be
        done nothing that is cached is believed: tenants are read again before they are fresh, absences are forgotten.
        """
        self._directory.invalidate((Identity("uuid", str(id)),))
        try:
            with trio.fail_after(_ANNOUNCED_WITHIN):
                self._directory.invalidate(await self._announced(id))
        except (DatabaseError, ActorUnavailable, trio.TooSlowError) as error:
            self._directory.gap()
            self._log.warning("an invalidation was not announced", tenant=str(id), reason=str(error) or "too slow")
            return False
        return True

    async def _announced(self, id: UUID) -> Iterable[Identity]:
        """Tells the other daemons. Returns the names it has told."""
        database = self._database.get()
        row = await database.fetchrow(sql.NAMES, id, name="select tenants names")
        names = _names(id, row)
        message = msgspec.json.encode([f"{name.kind}:{name.value}" for name in names]).decode()
        await database.execute(sql.ANNOUNCE, message, name="notify tenants")
        return names

    @asynccontextmanager
    async def _changing(
        self, name: str, id: UUID, slug: str = "", domain: str | None = None
    ) -> AsyncIterator[Connection]:
        """A transaction that changes what these names stand for."""
        async with self._transaction(name, set(identities_of(id, slug, domain))) as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, name: str, names: set[Identity]) -> AsyncIterator[Connection]:
        """``names`` may grow in the block; they are invalidated at its end, before anyone is told.

        Not if it is known that nothing was committed: who tries to write while the database is down must not take from
        the cache what cannot be read again.
        """
        try:
            with self._as_answers(name):
                async with self._database.get().transaction(name=name, within=_WITHIN) as connection:
                    yield connection
        except Refused as refusal:
            if refusal.why != "outcome_unknown":
                names.clear()
            raise
        finally:
            if names:
                self._directory.invalidate(names)

    @contextmanager
    def _as_answers(self, name: str) -> Iterator[None]:
        """What the asker is told; what it cannot mend is told to the operator."""
        try:
            yield
        except QueryFailed as error:
            refusal = _refusal(error)
            if refusal.why == "unavailable":
                self._log.error("a statement failed", statement=name, sqlstate=error.sqlstate, reason=str(error))
            raise refusal from error
        except UnreadableValue as error:
            self._log.error("a row cannot be read", statement=name, reason=str(error))
            raise Refused("unreadable", "the database holds a value of this tenant that cannot be read") from error
        except OutcomeUnknown as error:
            text = "the database was lost during the commit: look before trying again"
            raise Refused("outcome_unknown", text) from error
        except (DatabaseUnavailable, ActorUnavailable) as error:
            raise Refused("unavailable", "the database is not available") from error


def _names(id: UUID, row: Row | None) -> tuple[Identity, ...]:
    return (Identity("uuid", str(id)),) if row is None else identities_of(id, row["slug"], row["domain"])


def _written(row: Row | None) -> Row:
    """Raises ``Refused``: a trigger may drop a row without an error."""
    if row is None:
        raise Refused("rejected", "a rule of the database forbids this")
    return row


async def _locked(connection: Connection, id: UUID) -> TenantRecord:
    row = await connection.fetchrow(sql.LOCK, id)
    if row is None:
        raise _unknown(id)
    return record_of(row)


def _merged(before: TenantRecord, given: dict[str, Any]) -> dict[str, Any]:
    """The columns of ``UPDATE``, in its order; settings that are not given stay as they are, to the last digit."""
    settings = None
    if "settings" in given:
        try:
            settings = merged_settings(bytes(before.settings), given["settings"])
        except TooBig as error:
            raise Refused("settings_too_big", f"settings, with this merged into them: {error}") from None
    return {
        "name": given.get("name", before.name),
        "slug": given.get("slug", before.slug),
        "domain": given.get("domain", before.domain),
        "settings": settings,
        "is_active": given.get("is_active", before.is_active),
        "default_locale": given.get("default_locale", before.default_locale),
    }


def _refusal(error: QueryFailed) -> Refused:
    constraint = error.constraint or ""
    if error.sqlstate == _UNIQUE and "domain" in constraint:
        return Refused("domain_taken", "another tenant has this domain")
    if error.sqlstate == _UNIQUE:
        return Refused("slug_taken", "another tenant has this slug")
    if error.sqlstate == _FOREIGN_KEY:
        return Refused("in_use", "something in the database still refers to this tenant")
    if not error.sqlstate.startswith(_OF_THE_DATA):
        return Refused("unavailable", "the database cannot do this at present")
    rule = f" ({constraint})" if constraint else ""
    return Refused("rejected", f"a rule of the database forbids this{rule}")


def _unknown(id: UUID) -> Refused:
    return Refused("unknown_tenant", f"there is no tenant {id}")
