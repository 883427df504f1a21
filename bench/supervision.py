"""What supervision costs: restarts of a failing child and a large tree, beside bare trio tasks that promise nothing."""

from __future__ import annotations

import math
import time

import trio

from rustok_daemon.supervision.actor import Context
from rustok_daemon.supervision.specs import Backoff, ChildSpec, SupervisorSpec
from rustok_daemon.supervision.tree import Tree
from rustok_daemon.telemetry.logs import configure

from .figures import Row, row
from .rounds import medians

RESTARTS = 1000
CHILDREN = 1000
_AT_ONCE = Backoff(first=0.0)


class Failed(Exception):
    """How the failing child ends."""


class Failing:
    """Fails as soon as it is ready, so often; then it stays and says so."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.stays = trio.Event()

    async def run(self, context: Context) -> None:
        context.ready()
        await self.live()

    async def live(self) -> None:
        if self.left:
            self.left -= 1
            raise Failed
        self.stays.set()
        await trio.sleep_forever()


class Idle:
    """Does nothing until it is stopped."""

    async def run(self, context: Context) -> None:
        context.ready()
        await trio.sleep_forever()


def run() -> list[Row]:
    """A row for each."""
    configure("critical", "console")
    restarts = medians({"ours": lambda: trio.run(_restarts), "bare": lambda: trio.run(_restarts_of_a_task)})
    children = medians({"ours": lambda: trio.run(_large_tree), "bare": lambda: trio.run(_large_nursery)})
    return [
        row("restart of a failing child", "restarts/s", restarts["ours"], "a task started anew", restarts["bare"]),
        row(f"start and stop of {CHILDREN:,} children", "children/s", children["ours"], "a nursery", children["bare"]),
    ]


async def _restarts() -> float:
    child = Failing(RESTARTS)
    spec = ChildSpec(id="failing", start=lambda: child, backoff=_AT_ONCE)
    tree = Tree(SupervisorSpec(id="root", children=(spec,), intensity=2 * RESTARTS))
    async with trio.open_nursery() as nursery:
        began = time.perf_counter()
        nursery.start_soon(tree.run)
        await child.stays.wait()
        seconds = time.perf_counter() - began
        tree.request_stop(math.inf)
    return RESTARTS / seconds


async def _restarts_of_a_task() -> float:
    child = Failing(RESTARTS)

    async def live(nursery: trio.Nursery) -> None:
        try:
            await child.live()
        except Failed:
            nursery.start_soon(live, nursery)

    async with trio.open_nursery() as nursery:
        began = time.perf_counter()
        nursery.start_soon(live, nursery)
        await child.stays.wait()
        seconds = time.perf_counter() - began
        nursery.cancel_scope.cancel()
    return RESTARTS / seconds


async def _large_tree() -> float:
    children = tuple(ChildSpec(id=f"idle-{n}", start=Idle) for n in range(CHILDREN))
    tree = Tree(SupervisorSpec(id="root", children=children))
    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tree.run)
        await tree.started.wait()
        tree.request_stop(math.inf)
    return CHILDREN / (time.perf_counter() - began)


async def _large_nursery() -> float:
    """Started one after the other and stopped in reverse order, as the tree does it."""
    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        scopes = [await nursery.start(_idle_task) for _ in range(CHILDREN)]
        for scope in reversed(scopes):
            scope.cancel()
    return CHILDREN / (time.perf_counter() - began)


async def _idle_task(*, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
    with trio.CancelScope() as scope:
        task_status.started(scope)
        await trio.sleep_forever()
