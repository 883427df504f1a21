"""How children are stopped: order, budgets, what is left of the whole, and who ignores it (OTP's T01 to T07, T24, T28)."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
import trio

from rustok_daemon.supervision.actor import Actor, Context, Request, receive
from rustok_daemon.supervision.errors import ActorUnavailable, Fenced, GaveUp
from rustok_daemon.supervision.refs import IncarnationFence, LocalRef
from rustok_daemon.supervision.specs import ChildSpec, Restart, State, Strategy, SupervisorSpec
from rustok_daemon.supervision.tree import Tree
from tests.supervision.stage import PROMPT, Stage, settle

LEAVE = 0.1
"""What a child gets beyond its budget."""


def root(stage: Stage, *ids: str, shutdown: float = 5.0, **keys: Any) -> SupervisorSpec:
    return SupervisorSpec(id="root", children=stage.children(*ids, shutdown=shutdown), **keys)


async def stopped_in(stage: Stage, tree: Tree, within: float = math.inf) -> float:
    """Seconds until the outcome is known."""
    began = trio.current_time()
    tree.request_stop(within)
    await stage.outcome()
    return trio.current_time() - began


def abandoned(tree: Tree) -> tuple[str, ...]:
    assert tree.outcome is not None
    return tree.outcome.abandoned


async def test_t01_without_a_limit_a_stop_waits_as_long_as_it_takes(stage: Stage) -> None:
    stage.stop_as["a"] = "1000"
    async with stage.running(root(stage, "a", "b", shutdown=math.inf)) as tree:
        assert await stopped_in(stage, tree) == pytest.approx(1000)
    assert abandoned(tree) == ()
    assert stage.log[-4:] == ["stop b", "end b", "stop a", "end a"]


async def test_t02_one_that_takes_longer_than_its_budget_is_abandoned_and_named(stage: Stage) -> None:
    stage.stop_as["a"] = "200"
    async with stage.running(root(stage, "a", "b", shutdown=1.0)) as tree:
        assert await stopped_in(stage, tree) == pytest.approx(1 + LEAVE)
    assert abandoned(tree) == ("root/a",)
    assert stage.named("child_abandoned")[0].text() == (
        "root/a ignored being cancelled for 1 s and is abandoned; all it holds is fenced off"
    )


async def test_one_that_just_fits_its_budget_is_not_abandoned(stage: Stage) -> None:
    stage.stop_as["a"] = "1"
    async with stage.running(root(stage, "a", shutdown=1.0)) as tree:
        assert await stopped_in(stage, tree) == pytest.approx(1)
    assert abandoned(tree) == ()


@pytest.mark.parametrize("limit", [2.0])
async def test_t03_t24_dynamic_children_stop_at_once_all_within_one_budget(stage: Stage, limit: float) -> None:
    stage.stop_as.update(a="1", b="1", c="5")
    spec = SupervisorSpec(
        id="root",
        strategy=Strategy.SIMPLE_ONE_FOR_ONE,
        template=lambda name: stage.child(name, shutdown=limit),
    )
    async with stage.running(spec) as tree:
        for id in ("a", "b", "c"):
            await tree.root.start_child(id)
        assert await stopped_in(stage, tree) == pytest.approx(limit + LEAVE)
    assert abandoned(tree) == ("root/c.3",)


async def test_t04_a_child_without_a_budget_gets_no_time_its_sibling_does(stage: Stage) -> None:
    stage.stop_as.update(a="1", b="1")
    children = (stage.child("a", shutdown=0.0), stage.child("b", shutdown=2.0), stage.child("c", shutdown=0.0))
    async with stage.running(SupervisorSpec(id="root", children=children)) as tree:
        assert await stopped_in(stage, tree) == pytest.approx(1 + LEAVE)
    assert abandoned(tree) == ("root/a",), "one that leaves when it is cancelled need not be abandoned"


async def test_t05_dynamic_children_without_a_budget(stage: Stage) -> None:
    stage.stop_as["a"] = "1"
    spec = SupervisorSpec(
        id="root", strategy=Strategy.SIMPLE_ONE_FOR_ONE, template=lambda name: stage.child(name, shutdown=0.0)
    )
    async with stage.running(spec) as tree:
        for _ in range(10):
            await tree.root.start_child("a")
        assert await stopped_in(stage, tree) == pytest.approx(LEAVE)
    assert len(abandoned(tree)) == 10


@pytest.mark.parametrize("end", ["end", "shutdown", "fail"])
async def test_t06_who_ends_by_itself_during_a_stop_is_not_restarted(stage: Stage, end: str) -> None:
    siblings = [stage.child(restart.value, restart=restart) for restart in Restart]
    stage.stop_as["slow"] = "3"
    spec = SupervisorSpec(id="root", children=(*siblings, stage.child("slow")), intensity=0)
    async with stage.running(spec) as tree:
        tree.request_stop(math.inf)
        await settle(1)
        for restart in Restart:
            await stage.do(restart.value, end)
        outcome = await stage.outcome()
        assert (outcome.error, outcome.abandoned) == (None, ())
        assert all(stage[restart.value].number == 0 for restart in Restart)
        failed = {event.path for event in stage.named("child_failed")}
        assert failed == ({f"root/{each.value}" for each in Restart} if end == "fail" else set())


async def test_t07_one_that_fails_while_it_is_stopped_is_reported_and_the_stop_goes_on(stage: Stage) -> None:
    stage.stop_as["b"] = "fail"
    async with stage.running(root(stage, "a", "b")) as tree:
        await stopped_in(stage, tree)
    assert tree.outcome is not None
    assert (tree.outcome.error, tree.outcome.abandoned) == (None, ())
    assert stage.named("stop_failed")[0].text() == "root/b raised while it was being stopped: Broken: while stopping"


async def test_t28_one_that_ignores_its_end_cannot_hold_its_supervisor_up(stage: Stage) -> None:
    stage.stop_as["a"] = "ignore"
    async with stage.running(root(stage, "a", "b", shutdown=1.0)) as tree, trio.open_nursery() as nursery:
        nursery.start_soon(tree.root.terminate_child, "a")
        await settle(0.5)
        await stage.do("b", "fail")
        await settle(2)
        assert stage.state("a") is State.ABANDONED
        assert stage.numbers("b") == [1], "what happened meanwhile was served"


async def test_an_abandoned_child_is_replaced_and_the_tree_remembers(stage: Stage) -> None:
    stage.stop_as["a"] = "ignore"
    async with stage.running(root(stage, "a", shutdown=1.0)) as tree:
        await tree.restart("a")
        assert stage.state("a") is State.RUNNING
        assert tree.snapshot()["children"][0]["abandoned"] == 1
        assert len(stage.puppets()) == 2
        stage.stop_as["a"] = "well"
        await stopped_in(stage, tree)
    assert abandoned(tree) == ("root/a",)


# -- what is left of the whole ---------------------------------------------------------------------------------------------


async def test_the_whole_stop_has_a_limit_that_each_childs_budget_is_cut_to(stage: Stage) -> None:
    for id in ("a", "b", "c"):
        stage.stop_as[id] = "ignore"
    async with stage.running(root(stage, "a", "b", "c")) as tree:
        assert await stopped_in(stage, tree, within=7) == pytest.approx(5 + LEAVE + (7 - 5 - LEAVE) + LEAVE + LEAVE)
    assert abandoned(tree) == ("root/c", "root/b", "root/a")


async def test_a_nested_supervisor_divides_what_it_is_given_and_is_never_abandoned_itself(stage: Stage) -> None:
    for id in ("a", "b"):
        stage.stop_as[id] = "ignore"
    inner = SupervisorSpec(id="inner", children=stage.children("a", "b"), shutdown=2.0)
    middle = SupervisorSpec(id="middle", children=(inner,))
    async with stage.running(SupervisorSpec(id="root", children=(stage.child("c"), middle))) as tree:
        assert await stopped_in(stage, tree) == pytest.approx(2 + LEAVE + LEAVE)
    assert abandoned(tree) == ("root/middle/inner/b", "root/middle/inner/a")
    assert stage.log[-2:] == ["stop c", "end c"]
    assert stage.state("inner") is State.STOPPED


async def test_a_stop_that_was_begun_before_the_whole_stops_does_not_begin_anew(stage: Stage) -> None:
    stage.stop_as["a"] = "ignore"
    async with stage.running(root(stage, "a")) as tree, trio.open_nursery() as nursery:

        async def terminate() -> None:
            with pytest.raises(ActorUnavailable):
                await tree.root.terminate_child("a")

        nursery.start_soon(terminate)
        await settle(4)
        assert await stopped_in(stage, tree) == pytest.approx(1 + LEAVE)


async def test_calls_are_refused_at_once_when_the_stop_begins(stage: Stage) -> None:
    stage.stop_as["a"] = "3"
    async with stage.running(root(stage, "a", "b")) as tree:
        tree.request_stop(math.inf)
        await settle(1)
        with trio.fail_after(0), pytest.raises(ActorUnavailable):
            await tree.root.terminate_child("b")


async def test_a_call_that_waits_for_its_turn_is_refused_as_soon_as_the_stop_begins(stage: Stage) -> None:
    """Once it was told when everything had stopped: a child that waited for it in its teardown could not end."""
    stage.stop_as["a"] = "4"
    async with stage.running(root(stage, "a", "b")) as tree, trio.open_nursery() as nursery:

        async def call(id: str) -> None:
            with pytest.raises(ActorUnavailable):
                await tree.root.terminate_child(id)
            told.append((id, trio.current_time() - began))

        told: list[tuple[str, float]] = []
        began = trio.current_time()
        for id in ("a", "b"):
            nursery.start_soon(call, id)
            await settle(1)
        tree.request_stop(math.inf)
        await stage.outcome()
        await settle()
        assert {id: pytest.approx(2) for id in ("a", "b")} == dict(told)


# -- actors that tear down -----------------------------------------------------------------------------------------------------


class Settings(msgspec.Struct, frozen=True):
    """None."""


class Slow(Request[str], frozen=True):
    """Answered after so many seconds; ``shielded``: whatever happens."""

    seconds: float
    shielded: bool = False


class Troubled(Actor[Settings]):
    """Can be told how it fails and how it tears down."""

    def __init__(self, fails_in: str = "", teardown: str = "") -> None:
        super().__init__(Settings())
        self.fails_in = fails_in
        self.ends = teardown
        self.fall = trio.Event()
        self.torn_down = False

    async def setup(self) -> None:
        if self.fails_in == "setup":
            raise OSError("no disk")

    async def background(self) -> None:
        await self.fall.wait()
        raise OSError("fell over")

    async def teardown(self) -> None:
        if self.ends == "hangs":
            await trio.sleep_forever()
        if self.ends == "shields":
            with trio.CancelScope(shield=True):
                await trio.sleep(1000)
        if self.ends == "fails":
            raise ValueError("no way down")
        self.torn_down = True

    @receive
    async def on_slow(self, message: Slow) -> str:
        with trio.CancelScope(shield=message.shielded):
            await trio.sleep(message.seconds)
        return "late"


def troubled(*made: Troubled, **keys: Any) -> ChildSpec:
    rest = list(made)
    return ChildSpec(id="a", start=lambda: rest.pop(0), **{"shutdown": 1.0, "backoff": PROMPT, **keys})


async def test_a_teardown_that_hangs_is_cut_off_at_its_budget_and_named(stage: Stage) -> None:
    spec = SupervisorSpec(id="root", children=(troubled(Troubled(teardown="hangs")),))
    async with stage.running(spec) as tree:
        assert await stopped_in(stage, tree) == pytest.approx(1)
    assert tree.outcome is not None
    assert (tree.outcome.abandoned, tree.outcome.cut) == ((), ("root/a",))
    assert "did not end within its shutdown budget and was cut off" in stage.named("stop_failed")[0].text()


async def test_a_teardown_that_shields_itself_is_abandoned(stage: Stage) -> None:
    spec = SupervisorSpec(id="root", children=(troubled(Troubled(teardown="shields")),))
    async with stage.running(spec) as tree:
        assert await stopped_in(stage, tree) == pytest.approx(1 + LEAVE)
    assert abandoned(tree) == ("root/a",)


async def test_a_teardown_that_fails_is_reported_and_the_stop_goes_on(stage: Stage) -> None:
    spec = SupervisorSpec(id="root", children=(stage.child("b"), troubled(Troubled(teardown="fails"))))
    async with stage.running(spec) as tree:
        await stopped_in(stage, tree)
    assert "ValueError: no way down" in stage.named("stop_failed")[0].text()
    assert stage.log[-1] == "end b"


@pytest.mark.parametrize("teardown", ["hangs", "shields", "fails", ""])
async def test_a_failure_shows_and_is_repaired_however_the_teardown_goes(stage: Stage, teardown: str) -> None:
    """Once a child that failed and then hung in its teardown was shown as running for ever."""
    first, second = Troubled(teardown=teardown), Troubled()
    async with stage.running(SupervisorSpec(id="root", children=(troubled(first, second),))) as tree:
        first.fall.set()
        await settle(3)
        assert stage.state("a") is State.RUNNING
        error = tree.registry.places["a"].last_error
        assert error is not None
        assert (error.type, error.message) == ("OSError", "fell over")
        assert tree.registry.places["a"].restarts == 1
        assert tree.abandoned == (["root/a"] if teardown == "shields" else [])
        await stopped_in(stage, tree)
    assert second.torn_down


async def test_while_a_failing_child_ends_its_supervisor_serves_others(stage: Stage) -> None:
    first = Troubled(teardown="hangs")
    spec = SupervisorSpec(id="root", children=(troubled(first, Troubled(), shutdown=4.0), stage.child("b")))
    async with stage.running(spec):
        first.fall.set()
        await settle(1)
        assert stage.state("a") is State.STOPPING
        await stage.do("b", "fail", 0.2)
        assert stage.numbers("b") == [1]


@pytest.mark.parametrize("teardown", ["hangs", "shields", "fails", ""])
async def test_a_start_that_fails_ends_in_time_however_the_teardown_goes(stage: Stage, teardown: str) -> None:
    spec = SupervisorSpec(id="root", children=(troubled(Troubled(fails_in="setup", teardown=teardown)),))
    began = trio.current_time()
    async with stage.running(spec):
        outcome = await stage.outcome()
        assert trio.current_time() - began <= 1 + LEAVE
    assert isinstance(outcome.error, GaveUp)
    assert "OSError: no disk" in str(outcome.error)


async def test_a_handler_that_shields_itself_cannot_hide_that_its_actor_failed(stage: Stage) -> None:
    first, second = Troubled(), Troubled()
    async with stage.running(SupervisorSpec(id="root", children=(troubled(first, second),))) as tree:
        ref = LocalRef("a", tree.registry, IncarnationFence("test"))
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(ActorUnavailable, match="it was abandoned before it answered"):
                    await ref.ask(Slow(5, shielded=True), within=60)

            nursery.start_soon(ask)
            await settle()
            first.fall.set()
            await settle(1.5)
            assert stage.state("a") is State.RUNNING
            assert await ref.ask(Slow(0), within=1) == "late"
        await settle(10)
        assert tree.abandoned == ["root/a"]
        assert stage.state("a") is State.RUNNING, "what the abandoned one does at its end changes nothing"


# -- fences ------------------------------------------------------------------------------------------------------------------


class Desk(Context):
    """Only a name: what is published under."""


class Hoarder(Actor[Settings]):
    """Holds what it can, and ignores its end."""

    def __init__(self, release: trio.Event) -> None:
        super().__init__(Settings())
        self.release = release

    async def setup(self) -> None:
        self.other = self.context.actor("b")
        self.view = self.context.view(Desk)
        self.context.publish(Hoarder, self)

    async def background(self) -> None:
        with trio.CancelScope(shield=True):
            await self.release.wait()


async def test_nothing_an_abandoned_child_holds_works_any_more(stage: Stage) -> None:
    made: list[Hoarder] = []

    def make() -> Hoarder:
        made.append(Hoarder(stage.released))
        return made[-1]

    children = (ChildSpec(id="b", start=Troubled), ChildSpec(id="a", start=make, shutdown=1.0))
    async with stage.running(SupervisorSpec(id="root", children=children), resources={Desk: object()}) as tree:
        await tree.restart("a")
        old, new = made
        published = tree.registry.cell(Hoarder)
        assert published.view is new
        with pytest.raises(Fenced, match="root/a was abandoned"):
            old.other.tell_nowait(Slow(0))  # type: ignore[arg-type]
        with pytest.raises(Fenced):
            await old.other.tell(Slow(0))  # type: ignore[arg-type]
        with pytest.raises(Fenced):
            await old.other.ask(Slow(0), within=1)
        with pytest.raises(Fenced):
            old.view.get()
        assert old.view.current is None
        with pytest.raises(Fenced):
            old.context.publish(Hoarder, old)
        with pytest.raises(Fenced):
            old.context.ready()
        old.context.degraded("it says")
        assert stage.state("a") is State.RUNNING
        assert tree.registry.places["a"].degraded is None
        assert published.view is new
        assert await new.other.ask(Slow(0), within=1) == "late"
        stage.released.set()
        await settle(5)
        assert published.view is new, "its end takes nothing back but its own"
