"""Ten thousand callers of one cold key, and a hundred thousand keys nobody knows."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from tests.daemon_process import Daemon, client

pytestmark = pytest.mark.timeout(180)

CONNECTIONS = 500
PER_CONNECTION = 20


async def storm(made: Daemon, query: str) -> Counter[int]:
    """10,000 requests at once: pipelined over 500 connections, all sent before the first answer is read."""
    statuses: Counter[int] = Counter()
    request = (
        f"GET /v1/tenants/resolve?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {made.token}\r\n\r\n"
    ).encode() * PER_CONNECTION
    streams = [await trio.open_tcp_stream("127.0.0.1", made.port) for _ in range(CONNECTIONS)]

    async def one(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(request)
            received = b""
            while received.count(b"HTTP/1.1 ") < PER_CONNECTION or not received.endswith(b"}"):
                chunk = await stream.receive_some(65536)
                assert chunk, received
                received += chunk
        for answer in received.split(b"HTTP/1.1 ")[1:]:
            statuses[int(answer[:3])] += 1

    async with trio.open_nursery() as nursery:
        for stream in streams:
            nursery.start_soon(one, stream)
    return statuses


async def values(made: Daemon) -> dict[str, float]:
    async with client(made) as http:
        text = (await http.get("/metrics")).text
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("rustok_tenant_cache_")
    }
    found["queries"] = sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "rustok_database_query_duration_seconds_count"
        and sample.labels.get("table") == "tenants"
        and sample.labels.get("query_type") == "select"
    )
    return found


async def test_d03_a_cold_known_tenant_costs_one_query(embedded: Daemon) -> None:
    before = await values(embedded)
    assert await storm(embedded, "slug=demo") == {200: 10_000}
    after = await values(embedded)
    assert after["queries"] - before["queries"] == 1


async def test_d04_a_cold_unknown_tenant_costs_one_query_and_one_negative_insert(embedded: Daemon) -> None:
    before = await values(embedded)
    assert await storm(embedded, "slug=nobody") == {404: 10_000}
    after = await values(embedded)
    assert after["queries"] - before["queries"] == 1
    assert after["rustok_tenant_cache_negative_inserts"] == 1
