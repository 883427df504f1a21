"""Migrations: once each, in order, by one of many daemons, beside RusToK's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import trio

from rustok_daemon.declarations import Migration
from rustok_daemon.postgres import binaries
from rustok_daemon.postgres.interface import Database
from rustok_daemon.postgres.migrations import _LOCK
from rustok_daemon.supervision.errors import FatalExit
from rustok_daemon.supervision.specs import State
from tests.postgres.conftest import RunDatabase
from tests.servers import PostgresProcess

ONE = Migration(id="a_1", sql="create table one (id int)", seaql=("m1_create_one",))
TWO = Migration(id="a_2", sql="alter table one add column name text")


async def names(database: Database, sql: str) -> list[str]:
    return [row[0] for row in await database.fetch(sql, name="select names")]


async def test_in_order_once_and_recorded_for_rustok(url: str, run_database: RunDatabase) -> None:
    for migrations in ([ONE], [TWO, ONE], [TWO, ONE]):
        async with run_database(url, migrations) as running:
            database: Database = running.view(Database)
            await database.ping()
    async with run_database(url, [TWO, ONE]) as running:
        database = running.view(Database)
        assert await names(database, "select id from rustok_migrations where id <> '' order by applied_at") == [
            "a_1",
            "a_2",
        ]
        assert await names(database, "select version from seaql_migrations") == ["m1_create_one"]


async def test_in_rustoks_own_database_its_list_is_left_alone(
    url: str, server: PostgresProcess, run_database: RunDatabase
) -> None:
    name = urlsplit(url).path.removeprefix("/")
    server.psql("create table seaql_migrations (version varchar primary key, applied_at bigint)", name)
    async with run_database(url, [ONE]) as running:
        database: Database = running.view(Database)
        assert await names(database, "select version from seaql_migrations") == []


async def test_eight_daemons_at_once(url: str, run_database: RunDatabase) -> None:
    async def one() -> None:
        async with run_database(url, [ONE, TWO]) as running:
            database: Database = running.view(Database)
            await database.fetchval("select count(name) from one", name="select one")

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(one)


async def test_a_newer_schema_ends_the_daemon_with_78(url: str, run_database: RunDatabase) -> None:
    now, later = (Migration(id=f"rustok_{n}", sql="select 1") for n in (1, 2))
    async with run_database(url, [now, later]):
        pass
    with pytest.raises(BaseExceptionGroup) as refused:
        async with run_database(url, [now]):
            await trio.sleep(5)
    (error,) = (e for e in leaves(refused.value) if isinstance(e, FatalExit))
    assert error.code == 78
    assert "rustok_2" in error.message


async def test_what_an_actor_that_is_gone_once_brought_is_no_newer_schema(url: str, run_database: RunDatabase) -> None:
    ours = Migration(id="rustok_1", sql="select 1")
    async with run_database(url, [ours, Migration(id="zebra_1", sql="create table zebras ()")]):
        pass
    async with run_database(url, [ours]) as running:
        database: Database = running.view(Database)
        assert await database.fetchval("select count(*) from zebras", name="select zebras") == 0


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]


async def test_a_lock_held_by_a_writer_is_waited_for_in_short_pieces(
    url: str, server: PostgresProcess, run_database: RunDatabase
) -> None:
    async with run_database(url, [ONE]):
        pass
    holder = subprocess.Popen(  # noqa: ASYNC220
        [binaries.program("psql"), "-X", "-d", url, "-c", "begin; lock table one; select pg_sleep(1.5)"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    async with run_database(url, [ONE, TWO]) as running:
        with trio.fail_after(15):
            while running.tree.registry.places["database"].shown_state is not State.RUNNING:
                await trio.sleep(0.05)
        database: Database = running.view(Database)
        assert await database.fetchval("select count(name) from one", name="select one") == 0
    holder.wait()


async def test_a_step_that_fails_leaves_nothing_of_itself_and_is_named(url: str, run_database: RunDatabase) -> None:
    bad = Migration(id="a_2", sql="create table two (id int); select nonsense")
    async with run_database(url, [ONE, bad]) as running:
        place = running.tree.registry.places["database"]
        assert place.shown_state is State.DEGRADED
        assert "nonsense" in str(place.reason)


async def test_who_waits_for_the_migrations_of_another_daemon_keeps_no_index_from_being_built(
    url: str, server: PostgresProcess, run_database: RunDatabase
) -> None:
    """A session that waits in ``pg_advisory_lock`` holds a snapshot, and ``create index concurrently`` waits for it."""
    name = urlsplit(url).path.removeprefix("/")
    server.psql("create table big (id int)", name)
    with other_migrating(url) as other:
        async with trio.open_nursery() as nursery:
            done = trio.Event()
            nursery.start_soon(migrate_and_tell, run_database, url, done)
            await trio.sleep(0.3)
            with trio.fail_after(10):
                await trio.to_thread.run_sync(server.psql, "create index concurrently on big (id)", name)
            assert not done.is_set(), "it still waits"
            other.terminate()
            with trio.fail_after(10):
                await done.wait()


@contextmanager
def other_migrating(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A session that holds the lock and is idle."""
    process = subprocess.Popen(
        [binaries.program("psql"), "-X", "-At", "-d", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"select 'held', pg_advisory_lock({_LOCK});\n".encode())
    process.stdin.flush()
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def migrate_and_tell(run_database: RunDatabase, url: str, done: trio.Event) -> None:
    async with run_database(url, [ONE]):
        done.set()
