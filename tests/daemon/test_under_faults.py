"""Servers that stop, freeze and come back under load, with the daemon and them in processes of their own."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from tests.daemon_process import Daemon, client, daemon
from tests.redis_servers import RedisProcess
from tests.servers import PostgresProcess

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def postgres() -> Iterator[PostgresProcess]:
    with PostgresProcess.running() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[RedisProcess]:
    with RedisProcess.running() as server:
        yield server


@pytest.fixture
def made(postgres: PostgresProcess, redis: RedisProcess) -> Iterator[Daemon]:
    settings = {"database.url": postgres.url, "redis.url": redis.url, "tenant.breaker.open": "2s"}
    with daemon(settings) as started:
        started.start()
        yield started


class Load:
    """Requests without pause, and what came of them."""

    def __init__(self, http: httpx.AsyncClient, slugs: tuple[str, ...]) -> None:
        self.http = http
        self.slugs = slugs
        self.statuses: Counter[int] = Counter()
        self.sources: Counter[str] = Counter()
        self.slowest = 0.0

    async def run(self) -> None:
        while True:
            for slug in self.slugs:
                await self.one(slug)

    async def one(self, slug: str) -> httpx.Response:
        began = trio.current_time()
        answer = await self.http.get("/v1/tenants/resolve", params={"slug": slug})
        self.slowest = max(self.slowest, trio.current_time() - began)
        self.statuses[answer.status_code] += 1
        self.sources[answer.headers.get("X-Tenant-Cache", "none")] += 1
        return answer

    def reset(self) -> None:
        self.statuses.clear()
        self.sources.clear()
        self.slowest = 0.0


@asynccontextmanager
async def load(made: Daemon, *slugs: str) -> AsyncIterator[Load]:
    async with client(made) as http, trio.open_nursery() as nursery:
        running = Load(http, slugs)
        for slug in slugs:
            await running.one(slug)
        running.reset()
        for _ in range(4):
            nursery.start_soon(running.run)
        yield running
        nursery.cancel_scope.cancel()


async def test_d05_redis_stopped_and_back_is_not_noticed_by_callers(made: Daemon, redis: RedisProcess) -> None:
    async with load(made, "demo") as running:
        redis.stop()
        await trio.sleep(10)
        redis.start()
        await until_healthy(running.http)
        running.reset()
        await change_domain_and_see_it(made, running.http)
        assert set(running.statuses) <= {200}
    assert made.stop() == 0


async def test_d05_redis_frozen_is_not_noticed_by_callers(made: Daemon, redis: RedisProcess) -> None:
    async with load(made, "demo") as running:
        redis.freeze()
        await trio.sleep(10)
        await change_domain_and_see_it(made, running.http)
        redis.thaw()
        await until_healthy(running.http)
        assert set(running.statuses) == {200}
        assert running.slowest < 1
    assert made.stop() == 0


async def test_postgres_stopped_warm_serve_cold_wait_and_all_recovers(made: Daemon, postgres: PostgresProcess) -> None:
    async with load(made, "demo") as running:
        postgres.stop()
        with trio.fail_after(10):
            while running.sources["stale"] == 0:
                await trio.sleep(0.05)
        cold = await running.http.get("/v1/tenants/resolve", params={"slug": "cold"})
        assert cold.status_code == 503
        assert int(cold.headers["Retry-After"]) >= 1
        await until_ready_is(running.http, "degraded")
        loco = await running.http.get("/_readiness")
        assert (loco.status_code, loco.json()) == (503, {"ok": False})
        await trio.sleep(5)
        assert set(running.statuses) == {200}
        postgres.start()
        await until_healthy(running.http)
        running.reset()
        with trio.fail_after(10):
            while running.sources["hit"] == 0:
                await trio.sleep(0.05)
        assert set(running.statuses) <= {200}
        assert (await running.http.get("/v1/tenants/resolve", params={"slug": "cold"})).status_code == 404


async def test_postgres_frozen_warm_is_quick_cold_is_bounded_and_stop_works(
    made: Daemon, postgres: PostgresProcess
) -> None:
    async with load(made, "demo") as running:
        postgres.freeze()
        with trio.fail_after(15):
            while running.sources["stale"] == 0:
                await trio.sleep(0.05)
        assert set(running.statuses) == {200}
        assert running.slowest < 1
        with trio.fail_after(12):
            first = await running.http.get("/v1/tenants/resolve", params={"slug": "cold"})
        assert first.status_code == 503
        async with trio.open_nursery() as nursery:
            for n in range(6):
                nursery.start_soon(running.one, f"cold-{n}")
        began = trio.current_time()
        assert (await running.one("cold-open")).status_code == 503
        assert trio.current_time() - began < 0.3, "at once while the breaker is open"
    assert made.stop(within=35) == 0
    postgres.thaw()


async def test_every_connection_terminated_under_load_fails_no_read(made: Daemon, postgres: PostgresProcess) -> None:
    async with client(made) as http:
        statuses: Counter[int] = Counter()

        async def cold_reads(lane: int) -> None:
            for n in range(150):
                answer = await http.get("/v1/tenants/resolve", params={"slug": f"nobody-{lane}-{n}"})
                statuses[answer.status_code] += 1

        async with trio.open_nursery() as nursery:
            for lane in range(4):
                nursery.start_soon(cold_reads, lane)
            for _ in range(5):
                await trio.sleep(0.1)
                await trio.to_thread.run_sync(
                    postgres.psql,
                    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
                    " and backend_type = 'client backend'",
                )
    assert statuses == {404: 600}


async def test_a_database_that_is_down_at_boot_is_no_crash(postgres: PostgresProcess, redis: RedisProcess) -> None:
    postgres.stop()
    with daemon({"database.url": postgres.url, "redis.url": redis.url}) as made:
        made.start()
        async with httpx.AsyncClient(base_url=made.url) as http:
            assert (await http.get("/health/live")).status_code == 200
            assert (await http.get("/health/ready")).status_code == 503
            postgres.start()
            with trio.fail_after(30):
                while (await http.get("/health/ready")).status_code != 200:
                    await trio.sleep(0.1)
        assert made.stop() == 0


async def until_healthy(http: httpx.AsyncClient) -> None:
    await until_ready_is(http, "ok")


async def until_ready_is(http: httpx.AsyncClient, word: str) -> None:
    """What the actors say is asked anew every second."""
    with trio.fail_after(30):
        while (ready := await http.get("/health/ready")).json()["status"] != word:
            assert ready.status_code == 200
            await trio.sleep(0.1)


async def change_domain_and_see_it(made: Daemon, http: httpx.AsyncClient) -> None:
    """An old host is gone and the new one there at once after the API's 2xx."""
    tenant = (await http.get("/v1/tenants/resolve", params={"slug": "demo"})).json()
    changed = f"x{trio.current_time():.0f}.localhost"
    answer = await http.patch(f"/v1/tenants/{tenant['id']}", json={"domain": changed})
    assert answer.status_code == 200, answer.text
    assert (await http.get("/v1/tenants/resolve", params={"host": tenant["domain"]})).status_code == 404
    assert (await http.get("/v1/tenants/resolve", params={"host": changed})).status_code == 200


def test_known_tokens_outlive_the_database(made: Daemon, postgres: PostgresProcess) -> None:
    with httpx.Client(base_url=made.url, headers=made.headers) as http:
        assert http.get("/v1/tenants").status_code == 200
        postgres.signal(signal.SIGINT)
        assert http.get("/v1/tenants/resolve", params={"slug": "unknown-one"}).status_code == 503
        unknown = http.get("/v1/tenants/resolve", headers={"Authorization": "Bearer never-seen"})
        assert unknown.status_code == 503
