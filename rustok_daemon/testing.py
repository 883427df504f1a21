"""For tests of an actor: one alone, with a context and views, and no supervisor; and one under many starts and stops."""

from __future__ import annotations

import contextlib
import math
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio
from prometheus_client import CollectorRegistry

from .supervision.actor import Actor, ActorRef, Runnable
from .supervision.errors import ChildRefused, GaveUp
from .supervision.refs import IncarnationFence, LocalRef
from .supervision.specs import Backoff, ChildSpec, State, SupervisorSpec
from .supervision.tree import Tree


class Running(msgspec.Struct, frozen=True):
    """An actor that runs. ``tree`` gives everything else: views, places, metrics."""

    actor: Actor[Any]
    ref: ActorRef
    tree: Tree
    registry: CollectorRegistry

    def view(self, kind: type[Any]) -> Any:
        """What the actor published under ``kind``, or ``None``."""
        return self.tree.registry.cell(kind).view


@asynccontextmanager
async def run_actor(
    actor: Actor[Any],
    *,
    id: str = "subject",
    resources: Mapping[type[Any], object] | None = None,
    shutdown: float = 5.0,
) -> AsyncIterator[Running]:
    """Runs ``actor`` until the end of the block. It is not restarted: its failure fails the block."""
    registry = CollectorRegistry()
    spec = ChildSpec(id=id, start=lambda: actor, shutdown=shutdown, make_metrics=type(actor).make_metrics)
    tree = Tree(SupervisorSpec(id="root", children=(spec,), intensity=0), resources=resources, registry=registry)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_run, tree)
        await tree.started.wait()
        yield Running(actor, LocalRef(id, tree.registry, IncarnationFence("test")), tree, registry)
        tree.request_stop(math.inf)


async def _run(tree: Tree) -> None:
    outcome = await tree.run()
    if isinstance(outcome.error, GaveUp) and outcome.error.cause is not None:
        raise outcome.error.cause
    if outcome.error is not None:
        raise outcome.error


async def stress(
    make: Callable[[], Runnable],
    *,
    tasks: int = 10,
    rounds: int = 50,
    resources: Mapping[type[Any], object] | None = None,
    within: float = 5.0,
) -> None:
    """Starts, stops and restarts a child from ``tasks`` tasks at once, ``rounds`` times each (River's stress test).

    Each call must end within ``within`` seconds, done or refused; a start and a stop must work afterwards; and no task
    and no descriptor may be left over that was not there when it had run once. Raises ``AssertionError`` for what is,
    ``trio.TooSlowError`` for a call that hangs.
    """
    backoff = Backoff(first=0.0, jitter=0.0)
    child = ChildSpec(id="subject", start=make, shutdown=within, backoff=backoff)
    spec = SupervisorSpec(id="root", children=(child,), intensity=tasks * rounds)
    tree = Tree(spec, resources=resources)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_run, tree)
        await tree.started.wait()
        await _works(tree, within)
        before = _held()
        async with trio.open_nursery() as callers:
            for number in range(tasks):
                callers.start_soon(_race, tree, random.Random(number), rounds, within)  # noqa: S311  (which call is next)
        await _works(tree, within)
        held = _held()
        tree.request_stop(within)
    assert tree.outcome is not None
    assert not tree.outcome.abandoned, f"abandoned: {tree.outcome.abandoned}"
    assert not tree.outcome.cut, f"cut off in its teardown: {tree.outcome.cut}"
    assert held == before, f"tasks and descriptors: {held}, and {before} before"


async def _race(tree: Tree, choice: random.Random, rounds: int, within: float) -> None:
    for _ in range(rounds):
        call = choice.choice((tree.start, tree.stop, tree.stop, tree.start, tree.restart))
        with trio.fail_after(within), contextlib.suppress(ChildRefused):
            await call("subject")


async def _works(tree: Tree, within: float) -> None:
    """It can be started, and stopped; it is stopped after."""
    with trio.fail_after(within):
        for call, state in ((tree.stop, State.STOPPED), (tree.start, State.RUNNING), (tree.stop, State.STOPPED)):
            await call("subject")
            shown = tree.registry.places["subject"].state
            assert shown is state, f"it is {shown.value}, not {state.value}"


def _held() -> tuple[int, int]:
    """Tasks and descriptors."""
    return trio.lowlevel.current_statistics().tasks_living, len(os.listdir("/proc/self/fd"))
