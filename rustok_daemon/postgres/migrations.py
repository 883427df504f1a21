"""Migrations: each step once, in order, under a lock that is polled for.

Waiting inside ``pg_advisory_lock`` would hold a snapshot, and with it deadlock with ``create index concurrently``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from rustok_daemon.declarations import Migration, Seed

from .errors import DatabaseUnavailable, SchemaRefused, SchemaTooNew, ServerTooOld
from .wire import translated

OLDEST_SERVER = 14
_LOCK = 0x7275_7374_6F6B_6D67  # "rustokmg"
_LOCK_WITHIN = 60.0
_OURS = "rustok_"
_LOCK_EVERY = 0.1
_LOCK_TIMEOUT = "3s"
_ATTEMPTS = 20

CREATE_TABLES = """
create table if not exists rustok_migrations (
    id text primary key,
    applied_at timestamptz not null default now(),
    made_by_us boolean not null default false
)
"""
MARK_OURS = "insert into rustok_migrations (id, made_by_us) values ('', true)"
"""The row without a name: this database began with us."""
CREATE_SEAQL = """
create table if not exists seaql_migrations (
    version varchar primary key,
    applied_at bigint not null
)
"""
APPLIED = "select id from rustok_migrations"
RECORD = "insert into rustok_migrations (id) values ($1)"
RECORD_SEAQL = """
insert into seaql_migrations (version, applied_at) values ($1, extract(epoch from now())::bigint)
on conflict (version) do nothing
"""
TABLES = """
select format('%I.%I', schemaname, tablename) as name
from pg_tables
where schemaname = current_schema() and tablename not in ('rustok_migrations', 'seaql_migrations')
order by 1
"""
OURS = "select to_regclass('rustok_migrations') is not null"
RUSTOKS = "select to_regclass('seaql_migrations') is not null or to_regclass('tenants') is not null"


class MigrationStatus(msgspec.Struct, frozen=True):
    """One step and whether it was taken."""

    id: str
    applied: bool


async def migrate(connection: Any, migrations: Sequence[Migration]) -> list[str]:
    """Takes the steps that are missing; their ids. In the asyncio thread.

    Raises ``Unusable``, ``DatabaseUnavailable`` (the lock was not had in a minute), ``QueryFailed``.
    """
    steps = sorted(migrations, key=lambda step: step.id)
    with translated():
        _check_server(connection)
        await _take_lock(connection)
        try:
            made_by_us = await _prepare(connection)
            missing = _missing(steps, await _applied(connection))
            for step in missing:
                await _apply(connection, step, made_by_us)
            return [step.id for step in missing]
        finally:
            await connection.execute("select pg_advisory_unlock($1)", _LOCK)


async def status(connection: Any, migrations: Sequence[Migration]) -> list[MigrationStatus]:
    """Every step and whether it was taken; changes nothing, also where we never were."""
    with translated():
        applied = await _applied(connection) if await connection.fetchval(OURS) else set()
    return [MigrationStatus(step.id, step.id in applied) for step in sorted(migrations, key=lambda step: step.id)]


async def check(connection: Any, migrations: Sequence[Migration]) -> None:
    """For ``database.migrate = false``: raises ``SchemaTooNew``, or ``DatabaseUnavailable`` naming what is missing."""
    missing = [step.id for step in await status(connection, migrations) if not step.applied]
    with translated():
        if await connection.fetchval(OURS):
            _missing(migrations, await _applied(connection))
    if missing:
        raise DatabaseUnavailable(
            f"{len(missing)} migrations are missing ({missing[0]} …): run `rustok-daemon db migrate`"
        )


async def seed(connection: Any, seeds: Sequence[Seed]) -> list[str]:
    """Runs every seed; each is idempotent."""
    with translated():
        for each in seeds:
            await connection.execute(each.sql)
    return [each.id for each in seeds]


async def truncate(connection: Any) -> list[str]:
    """Empties every table but the lists of migrations; their names."""
    with translated():
        names = [row["name"] for row in await connection.fetch(TABLES)]
        if names:
            await connection.execute(f"truncate {', '.join(names)} restart identity cascade")
    return names


def _check_server(connection: Any) -> None:
    version = connection.get_server_version()
    if version.major < OLDEST_SERVER:
        raise ServerTooOld(f"PostgreSQL {version.major} is older than {OLDEST_SERVER}, the oldest that is supported")


async def _take_lock(connection: Any) -> None:
    try:
        async with asyncio.timeout(_LOCK_WITHIN):
            while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110
                await asyncio.sleep(_LOCK_EVERY)
    except TimeoutError as error:
        raise DatabaseUnavailable(f"another daemon has been migrating for {_LOCK_WITHIN:g} s") from error


async def _prepare(connection: Any) -> bool:
    """Whether the database is one we made: then RusToK's own list of migrations is kept, too."""
    if not await connection.fetchval(OURS):
        rustoks = await connection.fetchval(RUSTOKS)
        async with connection.transaction():
            await connection.execute(CREATE_TABLES)
            if not rustoks:
                await connection.execute(CREATE_SEAQL)
                await connection.execute(MARK_OURS)
    return bool(await connection.fetchval("select exists (select from rustok_migrations where made_by_us)"))


async def _applied(connection: Any) -> set[str]:
    return {row["id"] for row in await connection.fetch(APPLIED)} - {""}


def _missing(steps: Sequence[Migration], applied: set[str]) -> list[Migration]:
    """Raises ``SchemaTooNew`` for a later step of ours; what another package's actor brought once is its own affair."""
    known = {step.id for step in steps}
    ours = max((id for id in known if id.startswith(_OURS)), default=_OURS)
    newer = sorted(id for id in applied - known if id.startswith(_OURS) and id > ours)
    if newer:
        raise SchemaTooNew(f"the schema was migrated by a newer daemon ({newer[-1]}): install that one, or a later one")
    return [step for step in steps if step.id not in applied]


async def _apply(connection: Any, step: Migration, made_by_us: bool) -> None:
    """With a short lock timeout and retries, so that a writer never waits long behind us."""
    for attempt in range(_ATTEMPTS):
        try:
            async with connection.transaction():
                await connection.execute(f"set local lock_timeout = '{_LOCK_TIMEOUT}'; set local statement_timeout = 0")
                await connection.execute(step.sql)
                await connection.execute(RECORD, step.id)
                for version in step.seaql if made_by_us else ():
                    await connection.execute(RECORD_SEAQL, version)
            return
        except asyncpg.RaiseError as error:
            raise SchemaRefused(f"{step.id}: {error}") from error
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            if attempt == _ATTEMPTS - 1:
                raise
            await asyncio.sleep(min(5.0, 0.2 * 2**attempt))
