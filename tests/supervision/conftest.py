"""A stage for misbehaving children, and a clock that jumps: nothing here waits for real, but for what is marked so."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.supervision.stage import Stage

HERE = Path(__file__).parent


def run_jumping(function: Callable[[], Awaitable[Any]], **options: Any) -> Any:
    """``trio.run`` on a clock that jumps to the next deadline as soon as nobody has anything to do."""
    return trio.run(function, **{**options, "clock": MockClock(autojump_threshold=0)})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module that needs real time says ``pytestmark = pytest.mark.trio(run=trio.run)``."""
    for item in items:
        if HERE not in item.path.parents or not inspect.iscoroutinefunction(getattr(item, "obj", None)):
            continue
        if not any("run" in mark.kwargs for mark in item.iter_markers("trio")):
            item.add_marker(pytest.mark.trio(run=run_jumping))


@pytest.fixture
def stage() -> Stage:
    return Stage()
