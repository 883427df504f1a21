"""What happens to a load that is under way: its caller leaves, an invalidation overtakes it; over real sockets and channels."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
import redis
import trio
from prometheus_client.parser import text_string_to_metric_families

from tests.daemon.held_table import held
from tests.daemon_process import Daemon, client, daemon
from tests.redis_servers import RedisProcess
from tests.servers import PostgresProcess

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("loads_under_way")]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresProcess]:
    with PostgresProcess.running() as server:
        yield server


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisProcess]:
    with RedisProcess.running() as server:
        yield server


@pytest.fixture(scope="module")
def made(postgres: PostgresProcess, redis_server: RedisProcess) -> Iterator[Daemon]:
    with daemon({"database.url": postgres.url, "redis.url": redis_server.url}) as running:
        running.start()
        yield running


async def value(http: httpx.AsyncClient, name: str, **labels: str) -> float:
    text = (await http.get("/metrics")).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0.0


async def until_loading(http: httpx.AsyncClient, count: int) -> None:
    with trio.fail_after(5):
        while await value(http, "rustok_cache_in_flight_loads") != count:
            await trio.sleep(0.01)


async def forget(http: httpx.AsyncClient) -> None:
    """So that the next request is a cold one."""
    tenant = (await http.get("/v1/tenants/resolve", params={"slug": "demo"})).json()
    assert (await http.post(f"/v1/tenants/{tenant['id']}/invalidate")).status_code == 202
    await trio.sleep(0.2)  # the announcement comes back through the channel


async def test_d01_the_caller_who_began_a_load_disconnects_and_everyone_else_is_answered(
    made: Daemon, postgres: PostgresProcess
) -> None:
    async with client(made, limits=httpx.Limits(max_connections=200)) as http:
        await forget(http)
        statuses: list[tuple[int, str]] = []

        async def ask() -> None:
            answer = await http.get("/v1/tenants/resolve", params={"slug": "demo"})
            statuses.append((answer.status_code, answer.headers["X-Tenant-Cache"]))

        async with trio.open_nursery() as nursery:
            with held(postgres):
                first = await trio.open_tcp_stream("127.0.0.1", made.port)
                request = f"GET /v1/tenants/resolve?slug=demo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {made.token}\r\n\r\n"
                await first.send_all(request.encode())
                await until_loading(http, 1)
                for _ in range(50):
                    nursery.start_soon(ask)
                await trio.sleep(0.2)
                await first.aclose()
                await trio.sleep(0.2)
                assert await value(http, "rustok_cache_in_flight_loads") == 1
        assert set(statuses) == {(200, "coalesced")}
        assert len(statuses) == 50
        await until_loading(http, 0)
        assert (await http.get("/v1/tenants/resolve", params={"slug": "demo"})).headers["X-Tenant-Cache"] == "hit"


Invalidate = Callable[[httpx.AsyncClient, str], Awaitable[None]]


@pytest.fixture(params=["redis", "redis_generation", "notify", "api"])
def channel(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def invalidate(channel: str, postgres: PostgresProcess, redis_server: RedisProcess) -> Invalidate:
    """Through one of the channels, and back once it was applied here."""

    async def published(http: httpx.AsyncClient, name: str, payload: str) -> None:
        with redis.Redis.from_url(redis_server.url) as direct:
            await trio.to_thread.run_sync(direct.publish, name, payload)

    async def through(http: httpx.AsyncClient, slug: str) -> None:
        before = await value(http, "rustok_tenant_invalidations_total", channel=channel)
        if channel == "redis":
            key = f"v1:slug:{slug}"
            await published(http, "tenant.cache.invalidate", f"tenant:{key}|tenant_negative:{key}")
        elif channel == "redis_generation":
            number = int(await value(http, "rustok_tenant_invalidations_total", channel=channel)) + 1
            await published(http, "tenant.cache.generation.v1", f"v1:{number}:1764000000000:{b'*'.hex()}")
        else:
            words = ["psql", "-d", postgres.url, "-c", f"notify rustok_tenant_invalidate, '[\"slug:{slug}\"]'"]
            await trio.run_process(words, capture_stdout=True, stderr=subprocess.STDOUT)
        with trio.fail_after(5):
            while await value(http, "rustok_tenant_invalidations_total", channel=channel) == before:
                await trio.sleep(0.01)

    async def by_api(http: httpx.AsyncClient, slug: str) -> None:
        answer = await http.post("/v1/tenants/00000000-0000-0000-0000-00000000ffff/invalidate")
        assert answer.status_code == 202

    return by_api if channel == "api" else through


@pytest.mark.parametrize(("slug", "status"), [("demo", 200), ("nobody", 404)])
async def test_d07_a_load_that_was_overtaken_answers_who_waited_and_is_not_kept(
    made: Daemon, postgres: PostgresProcess, channel: str, invalidate: Invalidate, slug: str, status: int
) -> None:
    if status == 404:
        slug = f"{slug}-{channel.replace('_', '-')}"  # one that nobody asked for before
    async with client(made) as http:
        await forget(http)
        sources: list[str] = []

        async def ask() -> None:
            answer = await http.get("/v1/tenants/resolve", params={"slug": slug})
            assert answer.status_code == status
            sources.append(answer.headers["X-Tenant-Cache"])

        await invalidate(http, slug)
        async with trio.open_nursery() as nursery:
            with held(postgres):
                nursery.start_soon(ask)
                await until_loading(http, 1)
                await invalidate(http, slug)
                nursery.start_soon(ask)
                await until_loading(http, 2)
        assert sources == ["miss", "miss"], "the second did not join what was begun before"
        if channel != "api":  # its announcement waits for the table, too, and then invalidates once more
            await ask()
            assert sources[2] in ("hit", "negative"), "what was begun after is kept"
