"""A server for this folder, and the database actor on it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import pytest

from rustok_daemon.asyncio_side import Side, open_side
from rustok_daemon.config.sections import DatabaseSettings
from rustok_daemon.config.types import Secret
from rustok_daemon.declarations import Migration
from rustok_daemon.postgres.actor import DatabaseActor, DatabaseActorSettings
from rustok_daemon.testing import Running, run_actor
from tests.servers import PostgresProcess

_serial = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresProcess]:
    with PostgresProcess.running() as running:
        yield running


@pytest.fixture
def url(server: PostgresProcess) -> str:
    """A fresh database."""
    return server.create_database(f"test{next(_serial)}")


class RunDatabase(Protocol):
    def __call__(
        self, url: str, migrations: Sequence[Migration] = (), **settings: Any
    ) -> AbstractAsyncContextManager[Running]: ...


@pytest.fixture
def run_database() -> RunDatabase:
    @asynccontextmanager
    async def run(url: str, migrations: Sequence[Migration] = (), **settings: Any) -> AsyncIterator[Running]:
        made = DatabaseActorSettings(
            url=url,
            database=DatabaseSettings(url=Secret(url), **settings),
            application_name="test",
            migrations=tuple(migrations),
            seed=False,
            production=False,
        )
        async with (
            open_side() as side,
            run_actor(DatabaseActor(made), id="database", resources={Side: side}) as running,
        ):
            yield running

    return run
