"""A server that is stopped, frozen, killed; at boot and later."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from rustok_daemon.postgres.errors import DatabaseUnavailable
from rustok_daemon.postgres.interface import Database
from rustok_daemon.supervision.specs import State
from rustok_daemon.testing import Running
from tests.postgres.conftest import RunDatabase
from tests.servers import PostgresProcess


@pytest.fixture
def own_server() -> Iterator[PostgresProcess]:
    with PostgresProcess.running() as running:
        yield running


async def until(running: Running, state: State, within: float = 10) -> None:
    with trio.fail_after(within):
        while running.tree.registry.places["database"].shown_state is not state:
            await trio.sleep(0.02)


async def test_down_at_boot_is_degraded_and_recovers(own_server: PostgresProcess, run_database: RunDatabase) -> None:
    own_server.stop()
    async with run_database(own_server.url) as running:
        database: Database = running.view(Database)
        await until(running, State.DEGRADED)
        with pytest.raises(DatabaseUnavailable):
            await database.fetchval("select 1", name="select nothing")
        await trio.to_thread.run_sync(own_server.start)
        await until(running, State.RUNNING)
        assert await database.fetchval("select 1", name="select nothing") == 1


async def test_a_restart_is_noticed_and_the_pool_heals(own_server: PostgresProcess, run_database: RunDatabase) -> None:
    async with run_database(own_server.url) as running:
        database: Database = running.view(Database)
        await database.ping()
        await trio.to_thread.run_sync(own_server.stop)
        with trio.fail_after(3), pytest.raises(DatabaseUnavailable):
            await database.fetchval("select 1", name="select nothing")
        await until(running, State.DEGRADED)
        await trio.to_thread.run_sync(own_server.start)
        await until(running, State.RUNNING)
        assert await database.fetchval("select 1", name="select nothing", within=1) == 1


async def test_a_frozen_server_costs_a_call_its_time_and_no_stop_hangs(
    own_server: PostgresProcess, run_database: RunDatabase
) -> None:
    with trio.fail_after(20):
        async with run_database(own_server.url) as running:
            database: Database = running.view(Database)
            await database.ping()
            own_server.freeze()
            began = trio.current_time()
            with pytest.raises(DatabaseUnavailable):
                await database.fetchval("select 1", name="select nothing", within=0.3)
            assert trio.current_time() - began < 2
            began = trio.current_time()
        assert trio.current_time() - began < 5
    own_server.thaw()


async def test_a_listener_that_is_cut_raises_our_error_and_no_group(
    own_server: PostgresProcess, run_database: RunDatabase
) -> None:
    async with run_database(own_server.url) as running:
        database: Database = running.view(Database)
        with trio.fail_after(10), pytest.raises(DatabaseUnavailable, match="lost"):
            async with database.listen("anything") as listener:
                await trio.to_thread.run_sync(own_server.stop)
                await listener.receive()
