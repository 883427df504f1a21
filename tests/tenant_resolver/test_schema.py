"""RusToK's tables: made as RusToK makes them, taken over as they are, refused when they are too old."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.daemon_process import daemon
from tests.servers import PostgresProcess

pytestmark = pytest.mark.timeout(120)

RUSTOK = (Path(__file__).parents[1] / "rustok.sql").read_text()
COLUMNS = """
select table_name, column_name, data_type, character_maximum_length, is_nullable, column_default
from information_schema.columns
where table_name in ('tenants', 'tenant_modules', 'tenant_locales') and column_name <> 'metadata'
order by 1, 2
"""
KEYS = """
select conrelid::regclass, contype, pg_get_constraintdef(oid) from pg_constraint
where conrelid::regclass::text in ('tenants', 'tenant_modules', 'tenant_locales') and contype in ('p', 'u', 'f')
order by 1, 2, 3
"""
INDEXES = "select indexname from pg_indexes where indexname like 'idx_tenant%' order by 1"


@pytest.fixture
def server() -> Iterator[PostgresProcess]:
    with PostgresProcess.running() as running:
        yield running


def test_a_database_of_rustoks_is_taken_over_as_it_is(server: PostgresProcess) -> None:
    server.psql(RUSTOK)
    server.psql(
        "insert into tenants (id, name, slug, domain) values (gen_random_uuid(), 'Shop', 'shop', 'shop.example')"
    )
    before = [server.psql(sql) for sql in (COLUMNS, KEYS, INDEXES, "select * from seaql_migrations order by 1")]
    with daemon({"database.url": server.url, "redis.url": "off"}, {"RUSTOK_ENV": "production"}) as made:
        made.start()
        with httpx.Client(base_url=made.url, headers=made.headers) as http:
            assert http.get("/v1/tenants/resolve", params={"host": "shop.example"}).json()["slug"] == "shop"
            server.psql("update tenants set domain = 'new.example'")
            assert http.get("/v1/tenants/resolve", params={"slug": "demo"}).status_code == 404, "no demo in production"
        assert made.stop() == 0
    assert [server.psql(sql) for sql in (COLUMNS, KEYS, INDEXES, "select * from seaql_migrations order by 1")] == before


def test_a_database_of_ours_has_rustoks_tables_and_tells_its_migrator(server: PostgresProcess) -> None:
    rustoks = server.create_database("rustoks")
    assert rustoks
    server.psql(RUSTOK, "rustoks")
    with daemon({"database.url": server.url, "redis.url": "off"}) as made:
        made.start()
        assert made.stop() == 0
    for sql in (COLUMNS, KEYS):
        assert server.psql(sql) == server.psql(sql, "rustoks")
    assert server.psql("select version from seaql_migrations order by 1").split() == [
        "m20250101_000001_create_tenants",
        "m20250101_000003_create_tenant_modules",
        "m20250130_000004_create_tenant_locales",
    ]


def test_a_database_older_than_that_is_refused_and_left_alone(server: PostgresProcess) -> None:
    server.psql(RUSTOK)
    server.psql("alter table tenants drop column metadata")
    with daemon({"database.url": server.url, "redis.url": "off"}) as made:
        made.start(wait=False)
        assert made.wait() == 78
        assert "not tenants.metadata: bring it up to date with its own migrator first" in made.text()
    assert server.psql("select count(*) from pg_trigger where tgname like 'rustok%'") == "0"
