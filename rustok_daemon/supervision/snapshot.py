"""A node of the tree as plain data: contract.md, ``status --json`` and the tree."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import trio

from .place import LastError, Place

if TYPE_CHECKING:
    from .supervisor import Supervisor


def node_of(place: Place, supervisor: Supervisor | None) -> dict[str, Any]:
    """The node and all below it; reads only."""
    now = trio.current_time()
    node: dict[str, Any] = {
        "id": place.id,
        "path": place.path,
        "kind": place.kind.value,
        "state": place.shown_state.value,
        "reason": place.reason,
        "since": _iso(place.since),
        "restarts": {"window": 0, "total": place.restarts},
        "last_error": _error(place.last_error),
        "backoff_left_ms": _milliseconds(place.backoff_left()),
        "abandoned": place.abandoned,
        "score": round(place.failures.value(now), 3),
        "children": [],
    }
    if place.mailbox is not None:
        node.update(_traffic(place))
    if supervisor is not None:
        window = supervisor.window.count(now)
        for child in supervisor.children:
            below = node_of(child.place, child.supervisor)
            below["restarts"]["window"] = window if below["restarts"]["total"] else 0
            node["children"].append(below)
    return node


def _traffic(place: Place) -> dict[str, Any]:
    mailbox = place.mailbox
    assert mailbox is not None
    return {
        "mailbox": {
            "depth": len(mailbox),
            "peak": mailbox.peak,
            "capacity": mailbox.capacity,
            "oldest_ms": _milliseconds(mailbox.oldest_age()),
        },
        "messages": place.times.count,
        "dead_letters": place.dead_letters,
        "late_replies": place.late_replies,
        "rate": round(place.rate, 2),
        "busy": round(place.busy, 4),
        "handler_ms": {
            "p50": _milliseconds(place.times.quantile(0.5)),
            "p99": _milliseconds(place.times.quantile(0.99)),
        },
    }


def _error(error: LastError | None) -> dict[str, str] | None:
    if error is None:
        return None
    return {"type": error.type, "message": error.message, "at": _iso(error.at)}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
