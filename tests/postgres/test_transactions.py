"""What is known of a transaction whose end did not go well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from rustok_daemon.postgres.errors import DatabaseUnavailable, OutcomeUnknown
from rustok_daemon.postgres.interface import Database
from rustok_daemon.supervision.errors import Fenced
from rustok_daemon.supervision.refs import IncarnationFence
from tests.postgres.conftest import RunDatabase
from tests.postgres.test_pool import TERMINATE
from tests.servers import PostgresProcess


@pytest.fixture
def own_server() -> Iterator[PostgresProcess]:
    with PostgresProcess.running() as running:
        yield running


async def test_a_commit_whose_answer_does_not_come_in_time_is_unknown(
    own_server: PostgresProcess, run_database: RunDatabase
) -> None:
    async with run_database(own_server.url) as running:
        database: Database = running.view(Database)
        await database.execute("create table t (id int)", name="create t")
        began = trio.current_time()
        with pytest.raises(OutcomeUnknown):
            async with database.transaction(name="insert t", within=0.4) as connection:
                await connection.execute("insert into t values (1)")
                own_server.freeze()
        assert trio.current_time() - began < 3
        own_server.thaw()


async def test_a_commit_that_is_cancelled_on_its_way_is_unknown_and_not_silent(
    own_server: PostgresProcess, run_database: RunDatabase
) -> None:
    async with run_database(own_server.url) as running:
        database: Database = running.view(Database)
        await database.execute("create table t (id int)", name="create t")
        with pytest.raises(OutcomeUnknown), trio.move_on_after(0.5):
            async with database.transaction(name="insert t") as connection:
                await connection.execute("insert into t values (1)")
                own_server.freeze()
        own_server.thaw()


async def test_a_cancel_before_the_commit_rolls_back(url: str, run_database: RunDatabase) -> None:
    async with run_database(url) as running:
        database: Database = running.view(Database)
        await database.execute("create table t (id int)", name="create t")
        with trio.CancelScope() as scope:
            async with database.transaction(name="insert t") as connection:
                await connection.execute("insert into t values (1)")
                scope.cancel()
        assert scope.cancelled_caught
        assert await database.fetchval("select count(*) from t", name="select t") == 0


async def test_a_commit_on_a_connection_that_was_cut_is_unknown(
    url: str, server: PostgresProcess, run_database: RunDatabase
) -> None:
    async with run_database(url) as running:
        database: Database = running.view(Database)
        await database.execute("create table t (id int)", name="create t")
        with pytest.raises((OutcomeUnknown, DatabaseUnavailable)) as told:
            async with database.transaction(name="insert t") as connection:
                await connection.execute("insert into t values (1)")
                await trio.to_thread.run_sync(server.psql, TERMINATE)
        assert type(told.value) is OutcomeUnknown
        assert await database.fetchval("select count(*) from t", name="select t") == 0


async def test_a_statement_in_a_transaction_is_not_repeated_and_the_pool_heals(
    url: str, server: PostgresProcess, run_database: RunDatabase
) -> None:
    async with run_database(url, max_size=2) as running:
        database: Database = running.view(Database)
        for _ in range(4):
            with pytest.raises(DatabaseUnavailable):
                async with database.transaction(name="select t") as connection:
                    await trio.to_thread.run_sync(server.psql, TERMINATE)
                    await connection.fetchval("select 1")
        assert await database.fetchval("select 1", name="select nothing", within=2) == 1


async def test_a_holder_that_is_fenced_in_the_middle_commits_nothing(url: str, run_database: RunDatabase) -> None:
    async with run_database(url) as running:
        database: Database = running.view(Database)
        await database.execute("create table t (id int)", name="create t")
        fence = IncarnationFence("abandoned")
        held = running.view(Database).held_by(fence)
        with pytest.raises(Fenced):
            async with held.transaction(name="insert t") as connection:
                await connection.execute("insert into t values (1)")
                fence.raised = True
        with pytest.raises(Fenced):
            async with held.transaction(name="insert t") as connection:
                pass
        assert await database.fetchval("select count(*) from t", name="select t") == 0


async def test_a_pool_that_is_used_up_is_waited_for_within_the_time_of_the_call(
    url: str, run_database: RunDatabase
) -> None:
    async with run_database(url, min_size=0, max_size=1) as running:
        database: Database = running.view(Database)
        async with database.transaction(name="select t"):
            with pytest.raises(DatabaseUnavailable, match=r"within 0\.3 s"):
                await database.fetchval("select 1", name="select nothing", within=0.3)
        assert await database.fetchval("select 1", name="select nothing", within=2) == 1
