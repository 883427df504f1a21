"""/metrics as Prometheus' own parser reads it: every name of the contract, with HELP and TYPE."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.daemon_process import Daemon, client

pytestmark = pytest.mark.timeout(120)

GAUGES = [
    f"rustok_tenant_cache_{name}"
    for name in (
        "hits",
        "misses",
        "evictions",
        "entries",
        "negative_hits",
        "negative_misses",
        "negative_evictions",
        "negative_entries",
        "negative_inserts",
        "coalesced_requests",
    )
]
FAMILIES = {
    **dict.fromkeys(GAUGES, "gauge"),
    "rustok_http_requests": "counter",
    "rustok_http_request_duration_seconds": "histogram",
    "rustok_http_active_connections": "gauge",
    "rustok_circuit_breaker_state": "gauge",
    "rustok_circuit_breaker_transitions": "counter",
    "rustok_circuit_breaker_calls": "counter",
    "rustok_database_query_duration_seconds": "histogram",
    "rustok_database_connections": "gauge",
    "rustok_database_query_errors": "counter",
    "rustok_actor_state": "gauge",
    "rustok_actor_restarts": "counter",
    "rustok_actor_mailbox_depth": "gauge",
    "rustok_actor_mailbox_capacity": "gauge",
    "rustok_actor_messages": "counter",
    "rustok_actor_message_seconds": None,
    "rustok_actor_dead_letters": "counter",
    "rustok_invalidation_listener_status": "gauge",
    "rustok_loop_stall_seconds": "histogram",
}


async def test_d27_every_name_of_the_contract_is_there(embedded: Daemon) -> None:
    async with client(embedded) as http:
        for slug in ("demo", "demo", "nobody", "nobody"):
            await http.get("/v1/tenants/resolve", params={"slug": slug})
        answer = await http.get("/metrics", headers={"Authorization": ""})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    for name, kind in FAMILIES.items():
        assert name in families, name
        assert families[name].documentation, name
        assert kind is None or families[name].type == kind, name
    values = {sample.name: sample.value for name in GAUGES for sample in families[name].samples}
    assert values["rustok_tenant_cache_hits"] == 1
    assert values["rustok_tenant_cache_misses"] == 2
    assert values["rustok_tenant_cache_negative_hits"] == 1
    assert values["rustok_tenant_cache_negative_inserts"] == 1
    assert values["rustok_tenant_cache_entries"] == 3
    assert values["rustok_tenant_cache_negative_entries"] == 1


async def test_every_actor_handles_messages(embedded: Daemon) -> None:
    import trio

    async with client(embedded) as http:
        with trio.fail_after(30):
            while True:
                text = (await http.get("/metrics")).text
                families = {family.name: family for family in text_string_to_metric_families(text)}
                counts = {sample.labels["actor"]: sample.value for sample in families["rustok_actor_messages"].samples}
                if counts and all(value > 0 for value in counts.values()):
                    break
                await trio.sleep(0.5)
    assert {"control", "asyncio_side", "database", "cache_invalidation", "tenant_resolver", "http_front"} <= set(counts)
