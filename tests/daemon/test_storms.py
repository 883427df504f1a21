"""Ten thousand connections that ask at once for one cold key: known, unknown, and while the query fails."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from tests.daemon.held_table import held
from tests.daemon_process import Daemon, client, daemon
from tests.servers import PostgresProcess

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("storms")]

CALLERS = 10_000
OPENING_AT_ONCE = 200
CANCEL = """
select count(pg_cancel_backend(pid)) from pg_stat_activity
where wait_event_type = 'Lock' and query like '%from tenants where slug%'
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresProcess]:
    with PostgresProcess.running() as server:
        yield server


@pytest.fixture(scope="module")
def made(postgres: PostgresProcess) -> Iterator[Daemon]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, CALLERS + 2000)), hard))
    with daemon({"database.url": postgres.url, "redis.url": "off", "tenant.load_timeout": "90s"}) as running:
        running.start()
        yield running
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Storm:
    """Ten thousand callers of one slug, each on a connection of its own; what they were told, and what it cost."""

    def __init__(self, made: Daemon, slug: str) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        self.cost: dict[str, float] = {}
        self._port = made.port
        self._request = (
            f"GET /v1/tenants/resolve?slug={slug} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {made.token}\r\n\r\n"
        ).encode()
        self._opening = trio.CapacityLimiter(OPENING_AT_ONCE)

    async def blow(
        self, http: httpx.AsyncClient, hold: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
    ) -> None:
        """``hold`` keeps the load waiting until what it is given returns: when all callers wait for it."""
        before = await values(http)

        async def until_all_wait() -> None:
            with trio.fail_after(90):
                while (await values(http))["negative_misses"] - before["negative_misses"] < CALLERS:
                    await trio.sleep(0.2)

        async with trio.open_nursery() as nursery:
            for _ in range(CALLERS):
                nursery.start_soon(self._one)
            await hold(until_all_wait)
        after = await values(http)
        self.cost = {name: after[name] - before[name] for name in after}

    async def _one(self) -> None:
        async with self._opening:
            stream = await trio.open_tcp_stream("127.0.0.1", self._port)
            await stream.send_all(self._request)
        async with stream:
            received = b""
            while not received.endswith(b"}"):
                chunk = await stream.receive_some(4096)
                assert chunk, received
                received += chunk
        head = received.partition(b"\r\n\r\n")[0].lower()
        source = head.partition(b"x-tenant-cache: ")[2].partition(b"\r\n")[0]
        self.answers[int(received[9:12]), source.decode()] += 1


async def values(http: httpx.AsyncClient) -> dict[str, float]:
    text = (await http.get("/metrics")).text
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("rustok_tenant_cache_"):
                found[sample.name.removeprefix("rustok_tenant_cache_")] = sample.value
            elif sample.name == "rustok_database_query_duration_seconds_count":
                found["queries"] += sample.value if sample.labels["table"] == "tenants" else 0
    return dict(found)


async def blown(made: Daemon, postgres: PostgresProcess, slug: str, last: Callable[[], object] = lambda: None) -> Storm:
    """``last`` is done when all wait, before the table is let go."""
    storm = Storm(made, slug)
    async with client(made, timeout=60) as http:

        async def hold(until_all_wait: Callable[[], Awaitable[None]]) -> None:
            with held(postgres):
                await until_all_wait()
                await trio.to_thread.run_sync(last)

        await storm.blow(http, hold)
    return storm


async def test_d03_a_cold_known_tenant_costs_one_query(made: Daemon, postgres: PostgresProcess) -> None:
    postgres.psql("notify rustok_tenant_invalidate, '*'")
    storm = await blown(made, postgres, "demo")
    assert storm.answers == {(200, "miss"): 1, (200, "coalesced"): CALLERS - 1}
    assert storm.cost["queries"] == 1


async def test_d04_a_cold_unknown_tenant_costs_one_query_and_one_negative_insert(
    made: Daemon, postgres: PostgresProcess
) -> None:
    storm = await blown(made, postgres, "nobody")
    assert storm.answers == {(404, "miss"): 1, (404, "coalesced"): CALLERS - 1}
    assert (storm.cost["queries"], storm.cost["negative_inserts"]) == (1, 1)


async def test_d04_a_query_that_fails_costs_one_and_the_next_caller_tries_again(
    made: Daemon, postgres: PostgresProcess
) -> None:
    def cancel() -> None:
        assert postgres.psql(CANCEL) == "1"

    storm = await blown(made, postgres, "failing", cancel)
    assert storm.answers == {(503, ""): CALLERS}
    assert (storm.cost["queries"], storm.cost["negative_inserts"]) == (1, 0)
    async with client(made) as http:
        answer = await http.get("/v1/tenants/resolve", params={"slug": "failing"})
        assert (answer.status_code, answer.headers["X-Tenant-Cache"]) == (404, "miss")
