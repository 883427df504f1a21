"""Health in RusToK's and Loco's shapes. Defects 6, 22 and 23: probes behind tenants, always 200, reasons that are none."""

from __future__ import annotations

from pathlib import Path

import trio

from actors.http_front.health import Finding, modules, readiness, refusal
from rustok_daemon.declarations import HealthStatus
from rustok_daemon.lifecycle.phase import DaemonPhase
from tests.redis_servers import RedisProcess
from tests.servers import PostgresProcess

from .parts import CONTROL, FRONT, WITH_DATABASE, running


def finding(slug: str, status: HealthStatus = "healthy", *, critical: bool = False, module: bool = False) -> Finding:
    reason = None if status == "healthy" else f"{slug} is {status}"
    return Finding(slug=slug, name=slug, critical=critical, module=module, status=status, reason=reason, latency_ms=1)


def test_all_well_is_ok_without_reasons() -> None:
    ready = readiness([finding("database", critical=True), finding("resolver", module=True)], None)
    assert (ready.status, ready.degraded_reasons) == ("ok", [])
    assert [check.name for check in ready.checks] == ["database"]
    assert [check.name for check in ready.modules] == ["module:resolver"]


def test_d23_only_what_is_not_ok_is_a_reason() -> None:
    findings = [finding("database", "unhealthy", critical=True), finding("cache_backend"), finding("x", "degraded")]
    ready = readiness(findings, None)
    assert ready.status == "degraded"
    assert ready.degraded_reasons == [
        "database (Critical): database is unhealthy",
        "x (NonCritical): x is degraded",
    ]
    assert [check.status for check in ready.checks] == ["unhealthy", "ok", "degraded"]


def test_what_is_not_critical_degrades_only() -> None:
    assert readiness([finding("x", "unhealthy")], None).checks[0].status == "degraded"


def test_d22_a_refusal_is_unhealthy_and_the_first_reason() -> None:
    ready = readiness([finding("database", critical=True)], "the daemon is draining")
    assert (ready.status, ready.degraded_reasons) == ("unhealthy", ["the daemon is draining"])


def test_traffic_is_refused_while_starting_draining_or_never_loaded() -> None:
    phase = DaemonPhase()
    assert refusal(None, ever_reached=True) is not None
    assert "starting" in (refusal(phase, ever_reached=True) or "")
    phase.mark_started()
    assert refusal(phase, ever_reached=True) is None
    assert "loaded" in (refusal(phase, ever_reached=False) or "")
    phase.mark_draining()
    assert "draining" in (refusal(phase, ever_reached=True) or "")


def test_modules_have_rustok_s_shape() -> None:
    shown = modules([finding("database"), finding("a", module=True), finding("b", "degraded", module=True)])
    assert shown.status == "degraded"
    assert [(module.slug, module.status) for module in shown.modules] == [("a", "healthy"), ("b", "degraded")]
    assert modules([finding("a", module=True)]).status == "ok"


async def test_d06_probes_ask_for_no_tenant_and_no_token(place: Path, url: str) -> None:
    async with running(place, url) as part, part.client() as http:
        assert (await http.get("/health")).json() == {"status": "ok", "app": "rustok", "version": "0.1.0"}
        assert (await http.get("/health/live")).json() == {"status": "ok"}
        assert (await http.get("/_ping")).json() == {"ok": True}
        assert (await http.get("/_health")).json() == {"ok": True}
        assert (await http.get("/_readiness")).json() == {"ok": True}
        shown = (await http.get("/health/modules")).json()
        assert {"slug": "database", "name": "Database", "status": "healthy"} in shown["modules"]
        ready = await http.get("/health/ready")
        assert ready.status_code == 200
        database = ready.json()["checks"][0]
        assert database.pop("latency_ms") >= 0
        assert database == {
            "name": "database",
            "kind": "dependency",
            "criticality": "critical",
            "status": "ok",
            "reason": None,
        }


async def test_d22_readiness_while_the_database_is_down(place: Path, own_postgres: PostgresProcess) -> None:
    async with running(place, own_postgres.url) as part, part.client() as http:
        await part.until_status("/health/ready", 200)
        await trio.to_thread.run_sync(own_postgres.kill)
        assert (await http.get("/_readiness")).status_code == 503
        assert (await http.get("/_readiness")).json() == {"ok": False}
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert ready.json()["degraded_reasons"][0].startswith("database (Critical): database check failed")
        assert (await http.get("/health/live")).status_code == 200
        await trio.to_thread.run_sync(own_postgres.start)
        await part.until_status("/_readiness", 200)


async def test_probes_answer_within_a_second_while_the_database_is_frozen(
    place: Path, own_postgres: PostgresProcess
) -> None:
    async with running(place, own_postgres.url) as part, part.client() as http:
        await part.until_status("/health/ready", 200)
        await trio.to_thread.run_sync(own_postgres.freeze)
        try:
            for path, status in (("/health/ready", 200), ("/_readiness", 503), ("/health/live", 200)):
                began = trio.current_time()
                assert (await http.get(path)).status_code == status
                assert trio.current_time() - began < 1.5
        finally:
            await trio.to_thread.run_sync(own_postgres.thaw)
        await part.until_status("/_readiness", 200)


async def test_ready_is_503_until_the_database_was_reached_once(place: Path, own_postgres: PostgresProcess) -> None:
    await trio.to_thread.run_sync(own_postgres.kill)
    async with running(place, own_postgres.url) as part, part.client() as http:
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "unhealthy")
        assert (await http.get("/health/live")).status_code == 200
        await trio.to_thread.run_sync(own_postgres.start)
        await part.until_status("/health/ready", 200)


async def test_ready_is_503_while_draining(place: Path, url: str) -> None:
    async with running(place, url) as part, part.client() as http:
        await part.until_status("/health/ready", 200)
        part.phase.mark_draining()
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.json()["degraded_reasons"]) == (503, ["the daemon is draining"])


async def test_ready_is_503_while_nobody_has_a_database(place: Path) -> None:
    async with running(place, "postgresql:///nowhere", (CONTROL, FRONT)) as part:
        assert await part.status("/health/ready") == 503
        assert await part.status("/_readiness") == 503


async def test_readiness_asks_redis_itself(place: Path, url: str, redis_server: RedisProcess) -> None:
    children = (*WITH_DATABASE[:3], ("cache_invalidation", "actors.cache_invalidation:CacheInvalidation"), FRONT)
    async with running(place, url, children, redis__url=redis_server.url) as part, part.client() as http:
        await part.until_status("/_readiness", 200)
        await trio.to_thread.run_sync(redis_server.kill)
        assert (await http.get("/_readiness")).status_code == 503
        ready = await http.get("/health/ready")
        redis = next(check for check in ready.json()["checks"] if check["name"] == "cache_backend")
        assert (redis["criticality"], redis["status"]) == ("non_critical", "degraded")
        await trio.to_thread.run_sync(redis_server.start)
        await part.until_status("/_readiness", 200)
