"""Writes whose end is bad or unknown: what is said of them, and what they leave in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.daemon.held_table import held
from tests.daemon_process import Daemon, daemon
from tests.servers import PostgresProcess

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("writes_that_fail")]

DEMO = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresProcess]:
    with PostgresProcess.running() as server:
        yield server


@pytest.fixture(scope="module")
def made(postgres: PostgresProcess) -> Iterator[Daemon]:
    with daemon({"database.url": postgres.url, "redis.url": "off"}) as running:
        running.start()
        yield running


@pytest.fixture
def http(made: Daemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=made.url, headers=made.headers, timeout=30) as client:
        yield client


@contextmanager
def down(postgres: PostgresProcess) -> Iterator[None]:
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


def cached(http: httpx.Client) -> str:
    answer = http.get("/v1/tenants/resolve", params={"slug": "demo"})
    assert answer.status_code == 200, answer.text
    return answer.headers["X-Tenant-Cache"]


def test_who_tries_to_write_while_the_database_is_down_takes_no_warm_tenant_away(
    http: httpx.Client, postgres: PostgresProcess
) -> None:
    """A refused PUT, or a POST with the slug of another, dropped it, and it could not be read again: 503."""
    cached(http)
    with down(postgres):
        for answer in (
            http.post("/v1/tenants", json={"name": "Demo", "slug": "demo"}),
            http.put(f"/v1/tenants/{DEMO}/modules/blog", json={"enabled": True}),
            http.put(f"/v1/tenants/{DEMO}/locales/en", json={"name": "English", "native_name": "English"}),
            http.patch(f"/v1/tenants/{DEMO}", json={"name": "Down"}),
        ):
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:rustok:unavailable")
        assert cached(http) in ("hit", "stale")


def test_a_refused_write_leaves_the_cache_as_it_is(http: httpx.Client) -> None:
    while cached(http) != "hit":
        pass
    assert http.post("/v1/tenants", json={"name": "Demo", "slug": "demo"}).status_code == 409
    assert cached(http) == "hit"


def test_a_write_that_its_actor_did_not_live_to_answer_is_unknown(
    http: httpx.Client, postgres: PostgresProcess
) -> None:
    """It was told as if nothing had happened: 503 unavailable, try again."""
    with ThreadPoolExecutor() as threads, held(postgres):
        write = threads.submit(http.patch, f"/v1/tenants/{DEMO}", json={"name": "Interrupted"})
        while postgres.psql("select count(*) from pg_locks where not granted") == "0":
            pass
        assert http.post("/v1/supervisor/actors/tenant_resolver/restart").status_code < 300
        answer = write.result(20)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:rustok:outcome-unknown")
    name = postgres.psql(f"select name from tenants where id = '{DEMO}'")
    assert http.get("/v1/tenants/resolve", params={"id": DEMO}).json()["name"] == name
