"""The pool: bounded calls, lost connections, transactions, fences."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from rustok_daemon.config.types import Duration
from rustok_daemon.postgres.errors import DatabaseUnavailable, OutcomeUnknown, QueryFailed
from rustok_daemon.postgres.interface import Database
from rustok_daemon.supervision.errors import Fenced
from rustok_daemon.supervision.refs import IncarnationFence
from tests.postgres.conftest import RunDatabase
from tests.servers import PostgresProcess

TERMINATE = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where pid <> pg_backend_pid() and backend_type = 'client backend'
"""


async def test_values_cross_as_python_objects(url: str, run_database: RunDatabase) -> None:
    async with run_database(url) as running:
        database: Database = running.view(Database)
        row = await database.fetchrow(
            "select $1::jsonb as settings, gen_random_uuid() as id", {"a": [1, "ü"]}, name="select nothing"
        )
        assert row is not None
        assert row["settings"] == {"a": [1, "ü"]}
        assert row["id"].version == 4


async def test_a_refusal_names_sqlstate_and_constraint(url: str, run_database: RunDatabase) -> None:
    async with run_database(url) as running:
        database: Database = running.view(Database)
        await database.execute("create table t (id int constraint only_one unique)", name="create t")
        await database.execute("insert into t values (1)", name="insert t")
        with pytest.raises(QueryFailed) as refused:
            await database.execute("insert into t values (1)", name="insert t")
        assert (refused.value.sqlstate, refused.value.constraint) == ("23505", "only_one")


async def test_a_transaction_left_by_an_error_leaves_nothing(url: str, run_database: RunDatabase) -> None:
    async with run_database(url, max_size=2) as running:
        database: Database = running.view(Database)
        await database.execute("create table t (id int)", name="create t")
        for _ in range(5):
            with pytest.raises(RuntimeError):
                async with database.transaction(name="insert t") as connection:
                    await connection.execute("insert into t values (1)")
                    raise RuntimeError("no")
        async with database.transaction(name="insert t") as connection:
            await connection.execute("insert into t values (2)")
        assert await database.fetchval("select array_agg(id) from t", name="select t") == [2]


async def test_a_transaction_cancelled_at_each_of_its_steps_leaks_no_connection(
    url: str, run_database: RunDatabase
) -> None:
    async with run_database(url, max_size=2) as running:
        database: Database = running.view(Database)
        await database.execute("create table t (id int)", name="create t")
        for step in range(30):
            with trio.move_on_after(step * 0.0004), suppress(OutcomeUnknown):  # in the middle of the commit
                async with database.transaction(name="insert t") as connection:
                    await connection.execute("insert into t values (1)")
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                for _ in range(4):
                    nursery.start_soon(lambda: database.ping(within=5))


async def test_a_call_ends_within_its_time(url: str, run_database: RunDatabase) -> None:
    async with run_database(url) as running:
        database: Database = running.view(Database)
        began = trio.current_time()
        with pytest.raises(DatabaseUnavailable, match=r"within 0\.2 s"):
            await database.fetchval("select pg_sleep(30)", name="select sleep", within=0.2)
        assert trio.current_time() - began < 1.5


async def test_the_statement_timeout_holds_without_a_bound(url: str, run_database: RunDatabase) -> None:
    async with run_database(url, statement_timeout=Duration(0.3)) as running:
        database: Database = running.view(Database)
        with pytest.raises(DatabaseUnavailable):
            await database.fetchval("select pg_sleep(30)", name="select sleep")


async def test_every_connection_terminated_under_load_fails_no_read(
    url: str, server: PostgresProcess, run_database: RunDatabase
) -> None:
    async with run_database(url) as running:
        database: Database = running.view(Database)
        done = 0

        async def read() -> None:
            nonlocal done
            for n in range(200):
                assert await database.fetchval("select $1::int", n, name="select nothing") == n
                done += 1

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(read)
            for _ in range(6):
                await trio.sleep(0.03)
                await trio.to_thread.run_sync(server.psql, TERMINATE)
    assert done == 1600


async def test_a_write_whose_connection_was_cut_is_not_repeated(
    url: str, server: PostgresProcess, run_database: RunDatabase
) -> None:
    async with run_database(url) as running:
        database: Database = running.view(Database)
        await database.execute("create table t (id int)", name="create t")
        async with trio.open_nursery() as nursery:

            async def write() -> None:
                with pytest.raises(DatabaseUnavailable):
                    await database.execute("insert into t select 1 from pg_sleep(20)", name="insert t")

            nursery.start_soon(write)
            await trio.sleep(0.2)
            await trio.to_thread.run_sync(server.psql, TERMINATE)
        assert await database.fetchval("select count(*) from t", name="select t") == 0


async def test_a_fenced_holder_is_refused(url: str, run_database: RunDatabase) -> None:
    async with run_database(url) as running:
        fence = IncarnationFence("abandoned")
        held = running.view(Database).held_by(fence)
        await held.ping()
        fence.raised = True
        for call in (held.ping(), held.fetch("select 1", name="select nothing")):
            with pytest.raises(Fenced):
                await call
        with pytest.raises(Fenced):
            async with held.transaction(name="insert t"):
                pass
        with pytest.raises(Fenced):
            async with held.listen("x"):
                pass


async def test_listen_hears_in_order_and_says_when_it_is_lost(
    url: str, server: PostgresProcess, run_database: RunDatabase
) -> None:
    async with run_database(url) as running:
        database: Database = running.view(Database)
        async with database.listen("one", "two") as listener:
            for n in range(3):
                await database.execute(f"select pg_notify('one', '{n}')", name="notify one")
            await database.execute("select pg_notify('two', 'x')", name="notify two")
            assert [await listener.receive() for _ in range(4)] == [
                ("one", "0"),
                ("one", "1"),
                ("one", "2"),
                ("two", "x"),
            ]
            await trio.to_thread.run_sync(server.psql, TERMINATE)
            with trio.fail_after(5), pytest.raises(DatabaseUnavailable):
                await listener.receive()
