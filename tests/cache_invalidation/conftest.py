"""Servers of this room's tests, and a daemon's listener between them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.cache_invalidation.sql import TRIGGERS
from tests.redis_servers import redis_server as redis_server
from tests.servers import PostgresProcess

SCHEMA = (Path(__file__).parents[1] / "rustok.sql").read_text("utf-8")


class TenantDatabase:
    """A database with the tenants' tables and our triggers, changed through real psql processes."""

    def __init__(self, server: PostgresProcess, name: str) -> None:
        self.server = server
        self.name = name
        self.url = server.create_database(name)
        self.psql(SCHEMA)
        self.psql(TRIGGERS.sql)

    def psql(self, sql: str) -> str:
        return self.server.psql(sql, self.name)

    def add(self, slug: str, domain: str | None = None) -> str:
        """Inserts a tenant and says its id."""
        host = "null" if domain is None else f"'{domain}'"
        return self.psql(
            f"insert into tenants (id, name, slug, domain) values (gen_random_uuid(), '{slug}', '{slug}', {host})"
            " returning id"
        ).split()[0]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    """One server for the tests that leave it in peace."""
    with PostgresProcess.running() as server:
        yield server


@pytest.fixture
def tenants(postgres: PostgresProcess) -> TenantDatabase:
    return TenantDatabase(postgres, f"t{secrets.token_hex(6)}")


@pytest.fixture
def own_tenants() -> Iterator[TenantDatabase]:
    """On a server of its own, for tests that stop or freeze it."""
    with PostgresProcess.running() as server:
        yield TenantDatabase(server, "tenants")
