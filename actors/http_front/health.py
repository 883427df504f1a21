"""Health in RusToK's shapes, repaired: nothing stands before a probe, readiness can be 503 (defects 6, 22, 23)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from rustok_daemon.declarations import HealthStatus
from rustok_daemon.lifecycle.resources import Phase

Word = Literal["ok", "degraded", "unhealthy"]
_WORDS: dict[tuple[HealthStatus, bool], Word] = {
    ("healthy", True): "ok",
    ("healthy", False): "ok",
    ("unhealthy", True): "unhealthy",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt of one dependency, or of one actor by its own word."""

    slug: str
    name: str
    critical: bool
    module: bool
    status: HealthStatus
    reason: str | None
    latency_ms: int


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check, as ``/health/ready`` shows it."""

    name: str
    kind: Literal["dependency", "module"]
    criticality: Literal["critical", "non_critical"]
    status: Word
    latency_ms: int
    reason: str | None


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """``/health/ready``. ``unhealthy`` goes with 503."""

    status: Word
    checks: list[Check]
    modules: list[Check]
    degraded_reasons: list[str]


class Module(msgspec.Struct, frozen=True):
    """One actor's own word."""

    slug: str
    name: str
    status: HealthStatus


class Modules(msgspec.Struct, frozen=True):
    """``/health/modules``."""

    status: Literal["ok", "degraded"]
    modules: list[Module]


def modules(findings: Iterable[Finding]) -> Modules:
    """RusToK's shape: any module that is not healthy degrades the whole."""
    shown = [Module(finding.slug, finding.name, finding.status) for finding in findings if finding.module]
    return Modules("ok" if all(module.status == "healthy" for module in shown) else "degraded", shown)


def readiness(findings: Sequence[Finding], refused: str | None) -> Readiness:
    """``refused``: why no traffic is wanted at all. What is merely down degrades: warm tenants are served."""
    shown = [_check(finding) for finding in findings]
    reasons = [f"{check.name} ({_criticality(check)}): {check.reason}" for check in shown if check.status != "ok"]
    degraded: Word = "degraded" if reasons else "ok"
    return Readiness(
        status=degraded if refused is None else "unhealthy",
        checks=[check for check in shown if check.kind == "dependency"],
        modules=[check for check in shown if check.kind == "module"],
        degraded_reasons=reasons if refused is None else [refused, *reasons],
    )


def refusal(phase: Phase | None, ever_reached: bool) -> str | None:
    """Why the daemon takes no traffic, or ``None``."""
    if phase is None or not phase.started:
        return "the daemon is starting"
    if phase.draining:
        return "the daemon is draining"
    return None if ever_reached else "nothing could be loaded yet: not all that is critical was there"


def _check(finding: Finding) -> Check:
    return Check(
        name=f"module:{finding.slug}" if finding.module else finding.slug,
        kind="module" if finding.module else "dependency",
        criticality="critical" if finding.critical else "non_critical",
        status=_WORDS.get((finding.status, finding.critical), "degraded"),
        latency_ms=finding.latency_ms,
        reason=finding.reason,
    )


def _criticality(check: Check) -> str:
    return "Critical" if check.criticality == "critical" else "NonCritical"
