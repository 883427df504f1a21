"""Who is restarted when a child ends: restart types, strategies, intensity, escalation (OTP's T08 to T34)."""

from __future__ import annotations

import pytest
import trio

from rustok_daemon.supervision.actor import Actor
from rustok_daemon.supervision.context import LiveContext
from rustok_daemon.supervision.errors import ActorUnavailable, ChildRefused, GaveUp, NoSuchChild
from rustok_daemon.supervision.incarnation import Incarnation
from rustok_daemon.supervision.specs import Backoff, ChildSpec, Restart, State, Strategy, SupervisorSpec
from tests.supervision.stage import PROMPT, Broken, Stage, leak_cancelled, settle

GROUPS = (Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE)
STATIC = (Strategy.ONE_FOR_ONE, *GROUPS)


def root(stage: Stage, *ids: str, strategy: Strategy = Strategy.ONE_FOR_ONE, intensity: int = 3) -> SupervisorSpec:
    return SupervisorSpec(
        id="root", children=stage.children(*ids), strategy=strategy, intensity=intensity, backoff=PROMPT
    )


def dynamic(stage: Stage, restart: Restart = Restart.PERMANENT, intensity: int = 3) -> SupervisorSpec:
    """Children made by name."""
    return SupervisorSpec(
        id="root",
        strategy=Strategy.SIMPLE_ONE_FOR_ONE,
        intensity=intensity,
        template=lambda name: stage.child(name, restart=restart),
    )


# -- restart types -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["end", "shutdown", "fail"])
async def test_t08_a_permanent_child_is_restarted_however_it_ended(stage: Stage, end: str) -> None:
    async with stage.running(root(stage, "a")):
        await stage.do("a", end, 0.2)
        assert stage.numbers("a") == [1]
        assert stage.state("a") is State.RUNNING


@pytest.mark.parametrize("end", ["end", "shutdown"])
async def test_t09_a_transient_child_that_ended_well_stays_stopped_until_started_by_hand(
    stage: Stage, end: str
) -> None:
    spec = SupervisorSpec(id="root", children=(stage.child("a", restart=Restart.TRANSIENT),))
    async with stage.running(spec) as tree:
        await stage.do("a", end, 10)
        assert stage.state("a") is State.STOPPED
        counts = tree.root.count_children()
        assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (1, 0, 0, 1)
        await tree.start("a")
        assert stage.numbers("a") == [1]


async def test_t10_a_transient_child_that_failed_is_restarted(stage: Stage) -> None:
    async with stage.running(SupervisorSpec(id="root", children=(stage.child("a", restart=Restart.TRANSIENT),))):
        await stage.do("a", "fail", 0.2)
        assert stage.numbers("a") == [1]


@pytest.mark.parametrize("end", ["end", "shutdown", "fail"])
async def test_t11_a_temporary_child_is_gone_however_it_ended(stage: Stage, end: str) -> None:
    spec = SupervisorSpec(id="root", children=(stage.child("a", restart=Restart.TEMPORARY),))
    async with stage.running(spec) as tree:
        await stage.do("a", end, 10)
        assert tree.root.which_children() == []
        assert tree.root.count_children().workers == 0


async def test_t12_what_brought_the_tree_down_is_passed_up_with_its_origin(stage: Stage) -> None:
    inner = SupervisorSpec(id="inner", children=stage.children("a"), intensity=0, backoff=PROMPT)
    async with stage.running(SupervisorSpec(id="root", children=(inner,), intensity=0)):
        await stage.do("a", "fail")
        outcome = await stage.outcome()
    assert isinstance(outcome.error, GaveUp)
    assert isinstance(outcome.error.cause, GaveUp)
    assert isinstance(outcome.error.cause.cause, Broken)
    assert str(outcome.error) == (
        "restart intensity 0 in 5 s exceeded (supervisor 'root', child 'inner'): "
        "restart intensity 0 in 5 s exceeded (supervisor 'inner', child 'a'): Broken: told to"
    )
    assert "_act" in stage.named("child_failed")[0].traceback


@pytest.mark.parametrize("strategy", GROUPS)
async def test_t13_a_temporary_bystander_is_not_restarted(stage: Stage, strategy: Strategy) -> None:
    bystander = stage.child("b", restart=Restart.TEMPORARY)
    spec = SupervisorSpec(id="root", children=(stage.child("a"), bystander), strategy=strategy)
    async with stage.running(spec) as tree:
        await stage.do("a", "fail", 1)
        assert stage.living() == {"a"}
        assert [row.id for row in tree.root.which_children()] == ["a"]


# -- the window ------------------------------------------------------------------------------------------------------


async def test_t14_the_window_forgets(stage: Stage) -> None:
    spec = SupervisorSpec(id="root", children=stage.children("a"), intensity=1, period=1.0)
    async with stage.running(spec):
        for _ in range(4):
            await stage.do("a", "fail", 2.1)
        assert stage.numbers("a") == [4]


async def test_t15_one_for_one_restarts_the_failed_child_alone_until_the_shared_window_is_full(stage: Stage) -> None:
    async with stage.running(root(stage, "a", "b", intensity=2)):
        await stage.do("a", "fail", 0.2)
        await stage.do("b", "fail", 0.2)
        assert stage.numbers("a", "b") == [1, 1]
        await stage.do("a", "fail")
        assert isinstance((await stage.outcome()).error, GaveUp)
        assert stage.living() == set()


@pytest.mark.parametrize("strategy", STATIC)
async def test_t16_t18_t21_a_child_that_cannot_start_again_uses_the_window_up_and_everything_ends(
    stage: Stage, strategy: Strategy
) -> None:
    async with stage.running(root(stage, "a", "b", strategy=strategy, intensity=4)):
        stage.start_as["a"] = "fail"
        await stage.do("a", "fail")
        outcome = await stage.outcome()
    assert isinstance(outcome.error, GaveUp)
    assert outcome.error.child == "a"
    assert stage["a"].number == 4, "each attempt counted"
    assert stage.living() == set()


async def test_every_restart_waits_for_its_backoff_which_begins_anew_after_a_quiet_time(stage: Stage) -> None:
    backoff = Backoff(first=1.0, factor=2.0, limit=3.0, jitter=0.0, reset_after=60.0)
    spec = SupervisorSpec(id="root", children=(stage.child("a", backoff=backoff),), intensity=9)
    async with stage.running(spec):
        for _ in range(3):
            await stage.do("a", "fail", 3.5)
        await trio.sleep(60)
        await stage.do("a", "fail")
        assert [event.delay for event in stage.named("restart_planned")] == [1.0, 2.0, 3.0, 1.0]
        assert stage.state("a") is State.BACKOFF
        assert stage.tree.registry.places["a"].backoff_left() == pytest.approx(1.0)


async def test_jitter_stays_within_its_part(stage: Stage) -> None:
    backoff = Backoff(first=1.0, factor=1.0, jitter=0.2)
    spec = SupervisorSpec(id="root", children=(stage.child("a", backoff=backoff),), intensity=99)
    async with stage.running(spec):
        for _ in range(30):
            await stage.do("a", "fail", 1.5)
    delays = [event.delay for event in stage.named("restart_planned")]
    assert 0.8 <= min(delays) < 0.9
    assert 1.1 < max(delays) <= 1.2


# -- groups ------------------------------------------------------------------------------------------------------------


async def test_t17_one_for_all_replaces_every_child_until_the_window_is_full(stage: Stage) -> None:
    async with stage.running(root(stage, "a", "b", "c", strategy=Strategy.ONE_FOR_ALL, intensity=1)):
        stage.cleared()
        await stage.do("b", "fail", 0.2)
        assert stage.cleared() == [
            *("end b", "stop c", "end c", "stop a", "end a"),
            *("start a", "ready a", "start b", "ready b", "start c", "ready c"),
        ]
        await stage.do("c", "fail")
        assert isinstance((await stage.outcome()).error, GaveUp)


async def test_t19_one_for_all_begins_again_from_the_first_when_one_cannot_start(stage: Stage) -> None:
    async with stage.running(root(stage, "a", "b", "c", strategy=Strategy.ONE_FOR_ALL)):
        stage.start_fails.set("b", 1)
        stage.cleared()
        await stage.do("c", "fail", 0.5)
        assert stage.cleared() == [
            *("end c", "stop b", "end b", "stop a", "end a"),
            *("start a", "ready a", "start b", "end b", "stop a", "end a"),
            *("start a", "ready a", "start b", "ready b", "start c", "ready c"),
        ]


async def test_t20_rest_for_one_keeps_those_before_and_replaces_those_after(stage: Stage) -> None:
    async with stage.running(root(stage, "a", "b", "c", strategy=Strategy.REST_FOR_ONE)):
        await stage.do("b", "fail", 0.2)
        assert stage.numbers("a", "b", "c") == [0, 1, 1]


async def test_t22_rest_for_one_begins_again_from_the_one_that_cannot_start(stage: Stage) -> None:
    async with stage.running(root(stage, "a", "b", "c", strategy=Strategy.REST_FOR_ONE)):
        stage.start_fails.set("b", 1)
        await stage.do("a", "fail", 0.5)
        assert stage.numbers("a", "b", "c") == [1, 2, 1], "a is not stopped again"


@pytest.mark.parametrize("strategy", GROUPS)
async def test_the_next_of_a_group_waits_for_the_one_before_without_spinning(stage: Stage, strategy: Strategy) -> None:
    """While one takes its time to start, the supervisor sleeps; once it looked at the clock again and again."""
    async with stage.running(root(stage, "a", "b", strategy=strategy)) as tree:
        stage.start_as["a"] = "50"
        await stage.do("a", "fail", 1)
        woken = 0
        wait = tree.root._wait

        async def counted(due: float) -> None:
            nonlocal woken
            woken += 1
            await wait(due)

        tree.root._wait = counted  # type: ignore[method-assign]
        await tree.root.call(trio.lowlevel.checkpoint)
        await trio.sleep(10)
        assert stage.state("b") is State.BACKOFF
        assert woken <= 2
        await trio.sleep(50)
        assert stage.state("b") is State.RUNNING


async def test_t30_order_is_by_place_never_by_name(stage: Stage) -> None:
    ids = ("ch7", "ch3", "ch10", "ch2", "ch5")
    async with stage.running(root(stage, *ids, strategy=Strategy.REST_FOR_ONE)):
        assert [line for line in stage.cleared() if line.startswith("start")] == [f"start {id}" for id in ids]
        await stage.do("ch10", "fail", 0.2)
        log = stage.cleared()
        assert [line for line in log if line.startswith("stop")] == ["stop ch5", "stop ch2"]
        assert [line for line in log if line.startswith("start")] == ["start ch10", "start ch2", "start ch5"]
    assert [line for line in stage.log if line.startswith("stop")] == [f"stop {id}" for id in reversed(ids)]


# -- dynamic children --------------------------------------------------------------------------------------------------


async def test_t23_a_dynamic_child_is_restarted_alone(stage: Stage) -> None:
    async with stage.running(dynamic(stage, intensity=2)) as tree:
        await tree.root.start_child("a")
        await tree.root.start_child("b")
        await stage.do("a", "fail", 0.2)
        assert stage.numbers("a", "b") == [1, 0]
        await stage.do("a", "fail", 0.2)
        await stage.do("a", "fail")
        assert isinstance((await stage.outcome()).error, GaveUp)


async def test_t25_a_dynamic_child_that_cannot_start_again_ends_everything(stage: Stage) -> None:
    async with stage.running(dynamic(stage, intensity=4)) as tree:
        await tree.root.start_child("a")
        await tree.root.start_child("b")
        stage.start_as["a"] = "fail"
        await stage.do("a", "fail")
        assert isinstance((await stage.outcome()).error, GaveUp)
        assert stage.living() == set()


async def test_t27_a_dynamic_child_that_ignores_its_restart_is_forgotten(stage: Stage) -> None:
    async with stage.running(dynamic(stage)) as tree:
        await tree.root.start_child("a")
        stage.start_as["a"] = "ignore"
        await stage.do("a", "fail", 1)
        assert tree.root.which_children() == []
    assert tree.outcome is not None
    assert tree.outcome.error is None


# -- trees -------------------------------------------------------------------------------------------------------------


def three_levels(stage: Stage, intensity: int = 1) -> SupervisorSpec:
    many = SupervisorSpec(
        id="many", strategy=Strategy.SIMPLE_ONE_FOR_ONE, template=lambda name: stage.child(name), backoff=PROMPT
    )
    inner = SupervisorSpec(
        id="inner", children=stage.children("a", "b"), intensity=intensity, restart=Restart.TRANSIENT, backoff=PROMPT
    )
    return SupervisorSpec(id="root", children=(inner, many, stage.child("c")), strategy=Strategy.ONE_FOR_ALL)


async def test_t29_an_inner_failure_restarts_that_child_only(stage: Stage) -> None:
    async with stage.running(three_levels(stage)):
        await stage.do("a", "fail", 0.2)
        assert stage.numbers("a", "b", "c") == [1, 0, 0]


async def test_t29_a_group_restart_recreates_static_children_and_forgets_dynamic_ones(stage: Stage) -> None:
    async with stage.running(three_levels(stage)) as tree:
        many = next(each for each in tree.supervisors() if each.spec.id == "many")
        await many.start_child("d")
        await stage.do("c", "fail", 0.5)
        assert stage.numbers("a", "b", "c") == [1, 1, 1]
        assert stage.living() == {"a", "b", "c"}
        many = next(each for each in tree.supervisors() if each.spec.id == "many")
        assert (await many.start_child("d")).id == "d.1", "the name is free again"


async def test_t29_a_transient_supervisor_that_gave_up_stays_stopped_until_its_group_restarts(stage: Stage) -> None:
    async with stage.running(three_levels(stage, intensity=0)):
        await stage.do("a", "fail", 1)
        assert stage.living() == {"c"}
        assert stage.state("inner") is State.FAILED
        await stage.do("c", "fail", 1)
        assert stage.living() == {"a", "b", "c"}


async def test_t34_a_supervisor_in_the_middle_is_restarted_with_its_worker(stage: Stage) -> None:
    inner = SupervisorSpec(id="inner", children=stage.children("a"), intensity=0, backoff=PROMPT)
    async with stage.running(SupervisorSpec(id="root", children=(inner,))) as tree:
        await stage.do("a", "fail", 0.2)
        assert stage.numbers("a") == [1]
        await tree.restart("inner")
        assert stage.numbers("a") == [2]
        await tree.restart("a")
        assert stage.numbers("a") == [3]
        assert stage.living() == {"a"}


async def test_a_supervisor_that_exceeded_its_window_starts_with_an_empty_one(stage: Stage) -> None:
    inner = SupervisorSpec(id="inner", children=stage.children("a"), intensity=1, backoff=PROMPT)
    async with stage.running(SupervisorSpec(id="root", children=(inner,), intensity=1)):
        for _ in range(3):
            await stage.do("a", "fail", 0.3)
        assert stage.numbers("a") == [3]
        await stage.do("a", "fail", 0.3)
        assert isinstance((await stage.outcome()).error, GaveUp)


# -- a child that fails to start over and over ---------------------------------------------------------------------------


async def looping(stage: Stage, id: str) -> None:
    """It failed, and cannot start; the next attempt is some time off."""
    stage.start_as[id] = "fail"
    await stage.do(id, "fail", 0.5)


LONG = Backoff(first=0.2, factor=1.0, jitter=0.0)


async def test_t31_while_a_child_cannot_start_everything_else_is_served(stage: Stage) -> None:
    spec = SupervisorSpec(id="root", children=(stage.child("a", backoff=LONG), stage.child("b")), intensity=99)
    async with stage.running(spec) as tree:
        await looping(stage, "a")
        assert [(row.id, row.state) for row in tree.root.which_children()] == [
            ("b", State.RUNNING),
            ("a", State.BACKOFF),
        ]
        counts = tree.root.count_children()
        assert (counts.active, counts.workers) == (1, 2)
        with pytest.raises(ChildRefused, match="'a' is restarting"):
            await tree.root.restart_child("a")
        with pytest.raises(ChildRefused, match="'a' is restarting"):
            await tree.root.delete_child("a")
        with pytest.raises(ChildRefused, match="'a' is already present"):
            await tree.root.start_child(stage.child("a"))
        await tree.root.terminate_child("a")
        tried = stage["a"].number
        await settle(10)
        assert stage["a"].number == tried, "the loop has ended"
        stage.start_as["a"] = "well"
        await tree.root.restart_child("a")
        await looping(stage, "a")
    assert tree.outcome is not None
    assert tree.outcome.error is None


async def test_t32_those_that_wait_for_it_are_given_up_with_it_and_those_before_stay(stage: Stage) -> None:
    children = (stage.child("a"), stage.child("b", backoff=LONG), stage.child("c"))
    spec = SupervisorSpec(id="root", children=children, strategy=Strategy.REST_FOR_ONE, intensity=99)
    async with stage.running(spec) as tree:
        await looping(stage, "b")
        assert stage.living() == {"a"}
        await tree.root.terminate_child("b")
        await settle(10)
        assert [row.state for row in tree.root.which_children()] == [State.STOPPED, State.STOPPED, State.RUNNING]
        assert stage.numbers("a", "c") == [0, 0]
        stage.start_as["b"] = "well"
        await tree.root.restart_child("b")
        await tree.root.restart_child("c")
        assert stage.living() == {"a", "b", "c"}


async def test_t33_a_dynamic_child_that_cannot_start_is_stopped_by_its_name(stage: Stage) -> None:
    async with stage.running(dynamic(stage, intensity=99)) as tree:
        child = await tree.root.start_child("a")
        await looping(stage, "a")
        with pytest.raises(ChildRefused, match="can only be started and stopped"):
            await tree.root.restart_child(child.id)
        with pytest.raises(ChildRefused, match="can only be started and stopped"):
            await tree.root.delete_child(child.id)
        await tree.root.terminate_child(child.id)
        assert tree.root.which_children() == []
        with pytest.raises(NoSuchChild):
            await tree.root.terminate_child(child.id)


async def test_a_call_is_not_answered_by_a_supervisor_that_is_gone(stage: Stage) -> None:
    async with stage.running(root(stage, "a", intensity=0)) as tree:
        await stage.do("a", "fail")
        await stage.outcome()
        with pytest.raises(ActorUnavailable, match="starting or stopping"):
            await tree.root.terminate_child("a")


async def test_a_child_that_leaves_before_it_is_ready_has_failed_to_start(stage: Stage) -> None:
    stage.start_as["a"] = "end"
    async with stage.running(root(stage, "a")):
        outcome = await stage.outcome()
    assert "it ended before it was ready" in str(outcome.error)


async def test_a_cancelled_that_nobody_asked_for_is_a_failure_like_any_other(stage: Stage) -> None:
    async with stage.running(root(stage, "a")) as tree:
        await stage.do("a", "leak", 0.2)
        assert stage.numbers("a") == [1]
        error = tree.registry.places["a"].last_error
        assert error is not None
        assert "a Cancelled that nobody asked for" in error.message


async def test_a_cancelled_that_leaks_into_an_actors_nursery_is_a_failure_too(stage: Stage) -> None:
    class Leaks(Actor[None]):  # type: ignore[type-var]
        async def background(self) -> None:
            await leak_cancelled()

    child = ChildSpec(id="a", start=lambda: Leaks(None), restart=Restart.TRANSIENT, backoff=PROMPT)
    async with stage.running(SupervisorSpec(id="root", children=(child,), intensity=1)):
        outcome = await stage.outcome()
    assert isinstance(outcome.error, GaveUp)
    assert "a Cancelled that nobody asked for" in str(outcome.error)


async def test_a_fatal_exit_ends_the_tree_with_its_code_and_restarts_nobody(stage: Stage) -> None:
    inner = SupervisorSpec(id="inner", children=stage.children("b"))
    async with stage.running(SupervisorSpec(id="root", children=(stage.child("a"), inner))):
        await stage.do("b", "fatal")
        outcome = await stage.outcome()
    assert (outcome.error.code, outcome.error.message) == (9, "told to")  # type: ignore[union-attr]
    assert stage.numbers("a", "b") == [0, 0]


async def test_one_that_is_stopped_before_its_first_step_is_not_made_at_all(stage: Stage) -> None:
    """A supervisor would otherwise begin its first child after it was told to end."""
    async with stage.running(root(stage, "a")) as tree:
        incarnation = Incarnation(LiveContext(tree.registry.places["a"], tree.registry, lambda: None))
        incarnation.scope.cancel()
        started = stage["a"].number
        await incarnation.live(stage.child("a").start, lambda: None)
        assert stage["a"].number == started
        assert stage.count("a") == 1, "nothing was made"
        assert incarnation.ended.is_set()
        assert incarnation.error is None
