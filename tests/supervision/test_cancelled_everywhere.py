"""Cancellation at every single step of a scenario: whatever moment is chosen, nothing hangs and nothing is left behind."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from rustok_daemon.supervision.actor import Actor, Request, receive
from rustok_daemon.supervision.errors import ActorUnavailable, SupervisionError
from rustok_daemon.supervision.refs import IncarnationFence, LocalRef
from rustok_daemon.supervision.specs import ChildSpec, Strategy, SupervisorSpec
from rustok_daemon.supervision.tree import Tree
from tests.supervision.stage import PROMPT, Stage, settle

MOST_STEPS = 2000


class Echo(Request[int], frozen=True):
    """Answered with the number."""

    number: int


class Clerk(Actor[None]):  # type: ignore[type-var]
    """Answers after a while."""

    @receive
    async def on_echo(self, message: Echo) -> int:
        await trio.sleep(0.01)
        return message.number


class AtStep(trio.abc.Instrument):
    """Does something before the n-th step that any task takes once it is armed."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.act: Callable[[], None] | None = None

    @property
    def came(self) -> bool:
        return self.number < 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.act is not None:
            self.number -= 1
            if self.number == -1:
                self.act()


def tree_of(stage: Stage) -> SupervisorSpec:
    inner = SupervisorSpec(
        id="inner", children=stage.children("b", "c"), strategy=Strategy.ONE_FOR_ALL, intensity=1, backoff=PROMPT
    )
    clerk = ChildSpec(id="clerk", start=lambda: Clerk(None), backoff=PROMPT)
    return SupervisorSpec(
        id="root",
        children=(stage.child("a"), clerk, inner, stage.child("d")),
        strategy=Strategy.REST_FOR_ONE,
        intensity=20,
    )


Scenario = Callable[[Stage, Tree], Awaitable[None]]


async def starting(stage: Stage, tree: Tree) -> None:
    await settle()


async def restarting(stage: Stage, tree: Tree) -> None:
    await settle()
    for id, action in (("c", "fail"), ("a", "fail"), ("b", "fail"), ("b", "fail")):
        await stage.do(id, action, 0.05)
    await settle(1)


async def calling(stage: Stage, tree: Tree) -> None:
    await settle()
    await tree.restart("inner")
    await tree.stop("b")
    await tree.start("b")
    await tree.root.start_child(stage.child("e"))
    await tree.root.replace(stage.child("d", shutdown=1.0))


async def _ask(ref: LocalRef, number: int) -> None:
    """An actor that restarts refuses what it has in hand."""
    with contextlib.suppress(ActorUnavailable):
        assert await ref.ask(Echo(number), within=1) == number


async def asking(stage: Stage, tree: Tree) -> None:
    await settle()
    ref = LocalRef("clerk", tree.registry, IncarnationFence("test"))
    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(_ask, ref, number)
        await trio.sleep(0.02)
        stage["a"].do("fail")
    await settle(1)


@pytest.mark.parametrize("scenario", [starting, restarting, calling, asking])
def test_a_stop_at_any_step_ends_everything(scenario: Scenario) -> None:
    async def main(at: AtStep) -> None:
        stage = Stage()
        stage.tree = tree = Tree(tree_of(stage), on_event=stage.events.append, seed=1)
        at.act = lambda: tree.request_stop(math.inf)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.run)
            nursery.start_soon(_whatever_comes, scenario, stage, tree)
            with trio.fail_after(60):
                await tree.finished.wait()
            assert (tree.outcome.error, tree.outcome.abandoned) == (None, ())  # type: ignore[union-attr]
            assert stage.puppets() == []
            assert _began(stage, "start") == _began(stage, "end")
            nursery.cancel_scope.cancel()

    assert at_every_step(main) > 20


async def _whatever_comes(scenario: Scenario, stage: Stage, tree: Tree) -> None:
    """A call that the stop refuses is no failure; the end of the scenario is the end of the tree."""
    try:
        await scenario(stage, tree)
    except (SupervisionError, KeyError):
        pass
    except BaseExceptionGroup as group:
        if group.split(SupervisionError)[1] is not None:
            raise
    tree.request_stop(math.inf)


def _began(stage: Stage, word: str) -> dict[str, int]:
    ids = [line.split()[1] for line in stage.log if line.startswith(word)]
    return {id: ids.count(id) for id in ids}


@pytest.mark.parametrize("scenario", [calling, asking])
def test_a_caller_that_is_cancelled_at_any_step_leaves_the_tree_whole(scenario: Scenario) -> None:
    async def main(at: AtStep) -> None:
        stage = Stage()
        async with stage.running(tree_of(stage)) as tree:
            with trio.CancelScope() as scope:
                at.act = scope.cancel
                try:
                    await scenario(stage, tree)
                finally:
                    at.act = None
            await settle(5)
            if "b" not in stage.living():
                await tree.start("b")
            assert {"a", "b", "c", "d"} <= stage.living()
            ref = LocalRef("clerk", tree.registry, IncarnationFence("test"))
            assert await ref.ask(Echo(1), within=1) == 1
            assert tree.registry.deadlines.pending == 0
            assert not tree.root._calls

    assert at_every_step(main) > 20


def at_every_step(main: Callable[[AtStep], Awaitable[None]]) -> int:
    """Runs it again and again, one step later each time, until it is over before; how often."""
    for number in range(MOST_STEPS):
        at = AtStep(number)
        trio.run(main, at, clock=MockClock(autojump_threshold=0), instruments=[at])
        if not at.came:
            return number
    raise AssertionError("the scenario does not end")
