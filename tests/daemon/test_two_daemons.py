"""Two daemons on one database: what psql changes, both know within 100 ms."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import httpx
import pytest
import trio

from tests.daemon_process import Daemon, client, daemon
from tests.servers import PostgresProcess

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def pair() -> Iterator[tuple[Daemon, Daemon, PostgresProcess]]:
    with PostgresProcess.running() as postgres:
        settings = {"database.url": postgres.url, "redis.url": "off"}
        with daemon(settings) as first, daemon(settings) as second:
            first.start()
            second.start()
            yield first, second, postgres


async def change(postgres: PostgresProcess, domain: str) -> None:
    await trio.to_thread.run_sync(
        lambda: subprocess.run(
            ["psql", "-d", postgres.url, "-c", f"update tenants set domain = '{domain}' where slug = 'demo'"],
            check=True,
            capture_output=True,
        )
    )


async def status(http: httpx.AsyncClient, host: str) -> int:
    return (await http.get("/v1/tenants/resolve", params={"host": host})).status_code


async def test_a_domain_changed_in_psql(pair: tuple[Daemon, Daemon, PostgresProcess]) -> None:
    first, second, postgres = pair
    async with client(first) as one, client(second) as two:
        old = "demo.localhost"
        for n in range(5):
            new = f"new{n}.localhost"
            for http in (one, two):
                assert await status(http, old) == 200
                assert await status(http, new) == 404
            await change(postgres, new)
            await trio.sleep(0.1)
            for http in (one, two):
                assert await status(http, old) == 404
                assert await status(http, new) == 200
            old = new


async def test_a_resolver_restarted_in_the_middle_is_still_right(pair: tuple[Daemon, Daemon, PostgresProcess]) -> None:
    first, _, postgres = pair
    async with client(first) as http:
        assert await status(http, "demo.localhost") == 200
        async with trio.open_nursery() as nursery:
            nursery.start_soon(change, postgres, "moved.localhost")
            nursery.start_soon(restart, http)
        await trio.sleep(0.1)
        with trio.fail_after(10):
            while (found := await status(http, "moved.localhost")) == 503:
                await trio.sleep(0.05)
        assert found == 200
        assert await status(http, "demo.localhost") == 404


async def restart(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/supervisor/actors/tenant_resolver/restart")
    assert answer.status_code < 300, answer.text
