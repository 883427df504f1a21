"""The tree as ``rustok-daemon status`` draws it: its lines are contract, held here to the letter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rustok_daemon.cli.status import age, render, verdict

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def node(id: str, state: str = "running", *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "state": state,
        "since": "2026-11-24T11:59:57.000+00:00",
        "restarts": {"window": 0, "total": 0},
        "last_error": None,
        "children": list(children),
        **more,
    }


def actor(id: str, state: str = "running", **more: Any) -> dict[str, Any]:
    return node(id, state, **{"mailbox": {"depth": 0, "capacity": 1000}, "rate": 0.0, **more})


GOOD = node("root", "running", node("core", "running", actor("database")), actor("http_front", rate=12.5))
BAD = node(
    "root",
    "running",
    node(
        "core",
        "running",
        actor("database", "degraded", reason="Postgres is not available: refused"),
        actor(
            "resolver",
            "backoff",
            backoff_left_ms=1234.5,
            restarts={"window": 2, "total": 7},
            last_error={"type": "ValueError", "message": "no", "at": "2026-11-24T11:59:58.123+00:00"},
        ),
    ),
    actor("drain", "stopped"),
)


def test_all_is_well() -> None:
    assert render(GOOD, NOW, 200).splitlines() == [
        "                state    age  restarts  mailbox  msg/s",
        "root            running  3s   -         -        -",
        "├─ core         running  3s   -         -        -",
        "│  └─ database  running  3s   -         0/1000   0",
        "└─ http_front   running  3s   -         0/1000   12.5",
    ]
    assert verdict(GOOD) == "ok"


def test_what_is_wrong_is_said_beside_who_it_is() -> None:
    assert render(BAD, NOW, 200).splitlines() == [
        "                state         age  restarts  mailbox  msg/s",
        "root            running       3s   -         -        -",
        "├─ core         running       3s   -         -        -",
        "│  ├─ database  degraded      3s   -         0/1000   0      Postgres is not available: refused",
        "│  └─ resolver  backoff 1.2s  3s   2/7       0/1000   0      last error 11:59:58: ValueError: no",
        "└─ drain        stopped       3s   -         0/1000   0",
    ]
    assert verdict(BAD) == "degraded: database degraded, resolver backoff, drain stopped"


def test_a_narrow_terminal_keeps_what_matters_and_never_wraps() -> None:
    lines = render(BAD, NOW, 60).splitlines()
    assert lines[0] == "                state         age  restarts"
    assert lines[3] == "│  ├─ database  degraded      3s   -         Postgres is not"
    assert all(len(line) <= 60 for line in lines)


@pytest.mark.parametrize("state", ["starting", "degraded", "backoff", "stopping", "stopped", "failed", "abandoned"])
def test_only_running_is_well(state: str) -> None:
    assert verdict(node("root", "running", actor("x", state))) == f"degraded: x {state}"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "0s"), (0.9, "0s"), (59, "59s"), (60, "1m00s"), (252, "4m12s"), (7500, "2h05m"), (273600, "3d04h")],
)
def test_ages(seconds: float, shown: str) -> None:
    assert age(seconds) == shown
