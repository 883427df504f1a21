"""How children are started, in order and by call, and what specifications are refused (OTP's S01 to S26, C-ids)."""

from __future__ import annotations

import math
import time
from typing import Any

import msgspec
import pytest
import trio
from prometheus_client import CollectorRegistry, Counter

from rustok_daemon.supervision.actor import Actor
from rustok_daemon.supervision.errors import (
    ActorUnavailable,
    BadSpecification,
    ChildRefused,
    FatalExit,
    GaveUp,
    NoSuchChild,
    StartFailed,
)
from rustok_daemon.supervision.specs import (
    AutoShutdown,
    ChildSpec,
    Kind,
    Restart,
    State,
    Strategy,
    SupervisorSpec,
)
from rustok_daemon.supervision.tree import Tree
from tests.supervision.stage import Broken, Stage, settle


def root(stage: Stage, *ids: str, **keys: Any) -> SupervisorSpec:
    return SupervisorSpec(id="root", **{"children": stage.children(*ids), **keys})


def dynamic(stage: Stage, restart: Restart = Restart.PERMANENT, **keys: Any) -> SupervisorSpec:
    return SupervisorSpec(
        id="root",
        strategy=Strategy.SIMPLE_ONE_FOR_ONE,
        template=lambda name: stage.child(name, restart=restart),
        **keys,
    )


# -- the start of a tree ------------------------------------------------------------------------------------------------


async def test_s01_an_empty_supervisor_starts_and_stops(stage: Stage) -> None:
    async with stage.running(SupervisorSpec(id="root")) as tree:
        assert tree.started.is_set()
        tree.request_stop(1)
        assert (await stage.outcome()).error is None


async def test_a_child_is_begun_only_when_the_one_before_it_is_ready(stage: Stage) -> None:
    stage.start_as["a"] = "3"
    async with stage.running(root(stage, "a", "b")) as tree:
        assert stage.log == ["start a"]
        assert not tree.started.is_set()
        await settle(3)
        assert stage.log == ["start a", "ready a", "start b", "ready b"]
        assert tree.started.is_set()


async def test_s09_a_child_that_cannot_start_takes_those_before_it_down_in_reverse(stage: Stage) -> None:
    stage.start_as["c"] = "fail"
    async with stage.running(root(stage, "a", "b", "c", "d")):
        outcome = await stage.outcome()
    assert isinstance(outcome.error, GaveUp)
    assert str(outcome.error) == "failed to start child (supervisor 'root', child 'c'): Broken: cannot start"
    assert isinstance(outcome.error.cause, Broken)
    assert stage.log[-5:] == ["end c", "stop b", "end b", "stop a", "end a"]
    assert [event.name for event in stage.events if event.path == "root/c"] == ["child_failed"]
    assert stage.state("c") is State.FAILED


async def test_s08_a_start_that_makes_rubbish_is_a_failed_start(stage: Stage) -> None:
    spec = SupervisorSpec(id="root", children=(ChildSpec(id="a", start=lambda: None),))  # type: ignore[arg-type,return-value]
    async with stage.running(spec):
        outcome = await stage.outcome()
    assert "child 'a'" in str(outcome.error)
    assert "AttributeError" in str(outcome.error)


async def test_a_stop_during_the_start_stops_what_has_begun(stage: Stage) -> None:
    stage.start_as["b"] = "hang"
    async with stage.running(root(stage, "a", "b", "c")) as tree:
        tree.request_stop(5)
        outcome = await stage.outcome()
    assert outcome.error is None
    assert stage.log == ["start a", "ready a", "start b", "stop b", "end b", "stop a", "end a"]


async def test_s02_a_supervisor_none_of_whose_children_wants_to_run_runs(stage: Stage) -> None:
    stage.start_as["a"] = "ignore"
    async with stage.running(root(stage, "a")) as tree:
        assert tree.started.is_set()
        assert stage.living() == set()


async def test_s03_a_child_that_ignores_its_start_keeps_its_specification(stage: Stage) -> None:
    stage.start_as["a"] = "ignore"
    async with stage.running(root(stage, "a", "b")) as tree:
        counts = tree.root.count_children()
        assert (counts.specs, counts.active, counts.workers) == (2, 1, 2)
        with pytest.raises(ActorUnavailable, match="it is stopped"):
            tree.registry.mailbox("a").put_nowait("never read")


async def test_s04_a_temporary_child_that_ignores_its_start_is_dropped(stage: Stage) -> None:
    stage.start_as["a"] = "ignore"
    spec = root(stage, children=(stage.child("a", restart=Restart.TEMPORARY), stage.child("b")))
    async with stage.running(spec) as tree:
        assert [row.id for row in tree.root.which_children()] == ["b"]


async def test_s05_and_so_is_one_that_was_added(stage: Stage) -> None:
    stage.start_as["b"] = "ignore"
    async with stage.running(root(stage, "a")) as tree:
        await tree.root.start_child(stage.child("b", restart=Restart.TEMPORARY))
        assert [row.id for row in tree.root.which_children()] == ["a"]


@pytest.mark.parametrize("restart", [Restart.TEMPORARY, Restart.PERMANENT])
async def test_s06_s07_a_dynamic_child_that_ignores_its_start_leaves_nothing(stage: Stage, restart: Restart) -> None:
    stage.start_as["a"] = "ignore"
    async with stage.running(dynamic(stage, restart)) as tree:
        await tree.root.start_child("a")
        assert tree.root.which_children() == []
    assert tree.outcome is not None
    assert tree.outcome.error is None


# -- starting by call ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fail", "end"])
async def test_s10_a_child_that_a_call_could_not_start_is_the_callers_to_know_and_costs_nothing(
    stage: Stage, how: str
) -> None:
    """It does not count in the window: with intensity 0 the supervisor lives on."""
    stage.start_as["b"] = how
    async with stage.running(root(stage, "a", intensity=0)) as tree:
        with pytest.raises(StartFailed, match="'b' could not be started") as failed:
            await tree.root.start_child(stage.child("b"))
        assert isinstance(failed.value.__cause__, Broken) is (how == "fail")
        await settle(1)
        assert [row.id for row in tree.root.which_children()] == ["a"]
        assert stage.numbers("a", "b") == [0, 0]
        assert tree.root.window.count(trio.current_time()) == 0
        stage.start_as["b"] = "well"
        await tree.root.start_child(stage.child("b"))


async def test_s11_a_stopped_child_that_a_call_could_not_start_again_keeps_its_specification(stage: Stage) -> None:
    async with stage.running(root(stage, "a", intensity=0)) as tree:
        await tree.stop("a")
        stage.start_as["a"] = "fail"
        with pytest.raises(StartFailed, match="'a' could not be started: Broken: cannot start"):
            await tree.start("a")
        await settle(1)
        assert [(row.id, row.state) for row in tree.root.which_children()] == [("a", State.FAILED)]
        stage.start_as["a"] = "well"
        await tree.start("a")
        assert stage.state("a") is State.RUNNING
        await stage.do("a", "fail")
        assert isinstance((await stage.outcome()).error, GaveUp), "from then on the rules hold"


async def test_s12_and_a_dynamic_one_leaves_nothing(stage: Stage) -> None:
    stage.start_as["a"] = "fail"
    async with stage.running(dynamic(stage, intensity=0)) as tree:
        with pytest.raises(StartFailed):
            await tree.root.start_child("a")
        assert tree.root.which_children() == []


async def test_a_fatal_exit_in_a_start_by_call_is_the_callers_too(stage: Stage) -> None:
    stage.start_as["b"] = "fatal"
    async with stage.running(root(stage, "a")) as tree:
        with pytest.raises(StartFailed) as failed:
            await tree.root.start_child(stage.child("b"))
        assert isinstance(failed.value.__cause__, FatalExit)
        assert stage.living() == {"a"}


async def test_a_start_by_call_that_is_stopped_before_it_is_ready_says_so(stage: Stage) -> None:
    stage.start_as["b"] = "hang"
    async with stage.running(root(stage, "a")) as tree, trio.open_nursery() as nursery:
        nursery.start_soon(tree.root.terminate_child, "a")
        await settle()

        async def add() -> None:
            with pytest.raises(StartFailed, match="it was stopped before it was ready"):
                await tree.root.start_child(stage.child("b"))

        nursery.start_soon(add)
        await settle()
        await tree.root.terminate_child("b")


async def test_a_start_by_call_that_a_group_restart_takes_over_goes_on_by_the_rules(stage: Stage) -> None:
    stage.start_as["b"] = "5"
    spec = root(stage, "a", strategy=Strategy.ONE_FOR_ALL)
    async with stage.running(spec) as tree, trio.open_nursery() as nursery:

        async def add() -> None:
            with pytest.raises(StartFailed, match="it was stopped before it was ready"):
                await tree.root.start_child(stage.child("b"))

        nursery.start_soon(add)
        await settle(1)
        del stage.start_as["b"]
        stage.start_fails.set("b", 1)
        await stage.do("a", "fail", 1)
        assert stage.living() == {"a", "b"}


async def test_metrics_that_cannot_be_made_are_the_callers_and_the_supervisor_lives(stage: Stage) -> None:
    def make(registry: CollectorRegistry) -> Any:
        raise ValueError("no such metric")

    async with stage.running(root(stage, "a")) as tree:
        with pytest.raises(ValueError, match="no such metric"):
            await tree.root.start_child(stage.child("b", make_metrics=make))
        assert stage.living() == {"a"}


async def test_metrics_that_cannot_be_made_below_a_supervisor_are_its_failed_start(stage: Stage) -> None:
    def make(registry: CollectorRegistry) -> Any:
        raise ValueError("no such metric")

    inner = SupervisorSpec(id="inner", children=(stage.child("b", make_metrics=make),))
    async with stage.running(root(stage, children=(stage.child("a"), inner))):
        outcome = await stage.outcome()
    assert isinstance(outcome.error, GaveUp)
    assert "child 'inner'" in str(outcome.error)


async def test_metrics_are_made_once_a_kind_though_children_come_and_go(stage: Stage) -> None:
    def make(registry: CollectorRegistry) -> Counter:
        return Counter("only_once", "Fails when it is registered again.", registry=registry)

    async with stage.running(root(stage, "a")) as tree:
        for _ in range(2):
            await tree.root.start_child(stage.child("b", make_metrics=make))
            await tree.root.start_child(stage.child("c", make_metrics=make))
            for id in ("b", "c"):
                await tree.root.terminate_child(id)
                await tree.root.delete_child(id)


# -- specifications ---------------------------------------------------------------------------------------------------------


def test_s13_the_defaults_are_otps(stage: Stage) -> None:
    worker, supervisor = stage.child("a"), SupervisorSpec(id="s")
    assert (worker.restart, worker.shutdown, worker.kind, worker.significant) == (
        Restart.PERMANENT,
        5.0,
        Kind.ACTOR,
        False,
    )
    assert (supervisor.restart, supervisor.shutdown, supervisor.auto_shutdown) == (
        Restart.PERMANENT,
        math.inf,
        AutoShutdown.NEVER,
    )
    assert (supervisor.strategy, supervisor.intensity, supervisor.period) == (Strategy.ONE_FOR_ONE, 3, 5.0)


async def test_s13_s14_the_specification_of_a_child_can_be_read(stage: Stage) -> None:
    async with stage.running(root(stage, "a")) as tree:
        assert tree.root.child("a").spec == tree.root.spec.children[0]
        with pytest.raises(NoSuchChild, match="'root' has no child 'b'"):
            tree.root.child("b")


def nothing() -> Any:
    """A start that is never called."""


BAD_CHILDREN: list[tuple[dict[str, Any], str]] = [
    ({"id": ""}, "id must be a name without '/'"),
    ({"id": "a/b"}, "id must be a name without '/'"),
    ({"shutdown": -10.0}, "shutdown must be 0 or more seconds"),
    ({"mailbox": 0}, "mailbox must be at least 1 message"),
    ({"significant": True}, "significant must be false for a permanent child"),
]


@pytest.mark.parametrize(("keys", "right"), BAD_CHILDREN)
def test_s15_s19_s20_each_bad_field_of_a_child_has_its_own_error(keys: dict[str, Any], right: str) -> None:
    with pytest.raises(BadSpecification, match=right):
        ChildSpec(**{"id": "a", "start": nothing, **keys})


BAD_SUPERVISORS: list[tuple[dict[str, Any], str]] = [
    ({"intensity": -1}, "intensity must be 0 or more restarts"),
    ({"period": 0.0}, "period must be more than 0 seconds, and finite"),
    ({"period": math.inf}, "period must be more than 0 seconds, and finite"),
    ({"strategy": Strategy.SIMPLE_ONE_FOR_ONE}, "template must be given exactly with simple_one_for_one"),
    ({"template": lambda: None}, "template must be given exactly with simple_one_for_one"),
    ({"restart": Restart.PERMANENT, "significant": True}, "significant must be false for a permanent child"),
]


@pytest.mark.parametrize(("keys", "right"), BAD_SUPERVISORS)
def test_s21_each_bad_flag_of_a_supervisor_has_its_own_error(keys: dict[str, Any], right: str) -> None:
    with pytest.raises(BadSpecification, match=right):
        SupervisorSpec(**{"id": "s", **keys})


@pytest.mark.parametrize("restart", list(Restart))
@pytest.mark.parametrize("shutdown", [0.0, 1.0, math.inf])
@pytest.mark.parametrize("auto", list(AutoShutdown))
@pytest.mark.parametrize("significant", [False, True])
def test_s20_every_combination_is_either_good_or_names_what_does_not_go_together(
    restart: Restart, shutdown: float, auto: AutoShutdown, significant: bool
) -> None:
    def make() -> SupervisorSpec:
        child = ChildSpec(id="a", start=nothing, restart=restart, shutdown=shutdown, significant=significant)
        return SupervisorSpec(id="s", children=(child,), auto_shutdown=auto)

    if significant and (restart is Restart.PERMANENT or auto is AutoShutdown.NEVER):
        with pytest.raises(BadSpecification, match="child 'a': significant must be false"):
            make()
    else:
        assert make().children[0].shutdown == shutdown


def test_s19_an_id_is_given_once_among_siblings(stage: Stage) -> None:
    with pytest.raises(BadSpecification, match="children must be each id once"):
        root(stage, "a", "a")


async def test_s25_an_id_is_given_once_in_the_whole_tree(stage: Stage) -> None:
    """Children are found by it, wherever they are; one of two would have taken the other's mailbox."""
    inner = SupervisorSpec(id="inner", children=stage.children("a"))
    with pytest.raises(BadSpecification, match="child 'a': id must be given once in the whole tree"):
        Tree(root(stage, children=(stage.child("a"), inner)))
    async with stage.running(root(stage, "a")) as tree:
        with pytest.raises(ChildRefused, match="'a' is already present"):
            await tree.root.start_child(inner)


# -- the life of a child through calls ------------------------------------------------------------------------------------


async def test_s16_a_childs_whole_life_by_calls(stage: Stage) -> None:
    async with stage.running(root(stage)) as tree:
        supervisor = tree.root
        await supervisor.start_child(stage.child("a"))
        with pytest.raises(ChildRefused, match="already present"):
            await supervisor.start_child(stage.child("a"))
        await supervisor.terminate_child("a")
        await supervisor.terminate_child("a")
        with pytest.raises(ChildRefused, match="already present"):
            await supervisor.start_child(stage.child("a"))
        await supervisor.restart_child("a")
        with pytest.raises(ChildRefused, match="is running"):
            await supervisor.restart_child("a")
        with pytest.raises(NoSuchChild):
            await supervisor.restart_child("b")
        with pytest.raises(ChildRefused, match="'a' is running; stop it first"):
            await supervisor.delete_child("a")
        await supervisor.terminate_child("a")
        await supervisor.delete_child("a")
        with pytest.raises(NoSuchChild):
            await supervisor.restart_child("a")
        await supervisor.start_child(stage.child("a"))
        assert stage.living() == {"a"}


async def test_s17_a_dynamic_childs_life_by_calls(stage: Stage) -> None:
    async with stage.running(dynamic(stage, max_children=2)) as tree:
        counts = tree.root.count_children()
        assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (1, 0, 0, 0)
        first = await tree.root.start_child("a")
        await tree.root.start_child("b")
        with pytest.raises(ChildRefused, match=r"has its max_children \(2\) already"):
            await tree.root.start_child("c")
        await tree.root.terminate_child(first.id)
        with pytest.raises(NoSuchChild):
            await tree.root.terminate_child(first.id)
        await tree.root.start_child("c")
        assert stage.living() == {"b", "c"}
        with pytest.raises(ChildRefused, match="can only be started and stopped"):
            await tree.root.restart_child("b.2")
        with pytest.raises(ChildRefused, match="can only be started with start_child"):
            await tree.root.replace(stage.child("d"))


async def test_s23_rows_come_in_reverse_start_order(stage: Stage) -> None:
    async with stage.running(root(stage)) as tree:
        supervisor = tree.root
        assert supervisor.which_children() == []
        for id in ("b", "a", "c"):
            await supervisor.start_child(stage.child(id))
        assert [row.id for row in supervisor.which_children()] == ["c", "a", "b"]
        await supervisor.terminate_child("a")
        row = supervisor.which_children()[1]
        assert (row.id, row.kind, row.state, row.incarnation) == ("a", Kind.ACTOR, State.STOPPED, None)
        await supervisor.delete_child("a")
        assert [row.id for row in supervisor.which_children()] == ["c", "b"]


async def test_s24_rows_of_dynamic_children(stage: Stage) -> None:
    async with stage.running(dynamic(stage)) as tree:
        for _ in range(3):
            await tree.root.start_child("a")
        assert [row.id for row in tree.root.which_children()] == ["a.3", "a.2", "a.1"]


async def test_c03_those_that_restart_are_counted_but_not_active(stage: Stage) -> None:
    async with stage.running(root(stage, "a", "b", "c", intensity=99)) as tree:
        for id in ("a", "b"):
            stage.start_as[id] = "fail"
            await stage.do(id, "fail")
        counts = tree.root.count_children()
        assert (counts.specs, counts.active, counts.workers) == (3, 1, 3)
        stage.start_as.clear()
        await settle(0.5)
        assert tree.root.count_children().active == 3


@pytest.mark.parametrize("kind", ["worker", "supervisor"])
async def test_c01_c02_counts_of_many_dynamic_children(stage: Stage, kind: str) -> None:
    def make(name: str) -> Any:
        return SupervisorSpec(id=name) if kind == "supervisor" else stage.child(name, restart=Restart.TEMPORARY)

    spec = SupervisorSpec(id="root", strategy=Strategy.SIMPLE_ONE_FOR_ONE, template=make)
    async with stage.running(spec) as tree:
        for _ in range(100):
            await tree.root.start_child("a")
        counts = tree.root.count_children()
        expected = (1, 100, 100, 0) if kind == "supervisor" else (1, 100, 0, 100)
        assert (counts.specs, counts.active, counts.supervisors, counts.workers) == expected
        for number in range(1, 101):
            await tree.root.terminate_child(f"a.{number}")
        counts = tree.root.count_children()
        assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (1, 0, 0, 0)


@pytest.mark.parametrize("end", ["end", "shutdown", "fail", "terminate"])
async def test_c05_a_temporary_childs_name_is_free_once_it_is_gone(stage: Stage, end: str) -> None:
    async with stage.running(root(stage)) as tree:
        await tree.root.start_child(stage.child("a", restart=Restart.TEMPORARY))
        if end == "terminate":
            await tree.root.terminate_child("a")
        else:
            await stage.do("a", end)
        await tree.root.start_child(stage.child("a", restart=Restart.TEMPORARY))
        assert stage.numbers("a") == [1]


async def test_c06_many_dynamic_children_cost_each_no_more_than_few(stage: Stage) -> None:
    async def seconds(count: int) -> float:
        children = [await tree.root.start_child("a") for _ in range(count)]
        began = time.perf_counter()
        for child in children:
            await tree.root.terminate_child(child.id)
        return time.perf_counter() - began

    async with stage.running(dynamic(stage, Restart.TEMPORARY)) as tree:
        few = min([await seconds(50) for _ in range(3)])
        assert await seconds(500) < few * 50, "OTP's bound; a list that is searched would pass it by far at its sizes"


async def test_c07_many_static_children_start_and_stop_in_time_that_grows_with_their_number(stage: Stage) -> None:
    async def seconds(count: int) -> float:
        spec = SupervisorSpec(id="root", children=stage.children(*(f"c{number}" for number in range(count))))
        began = time.perf_counter()
        async with Stage().running(spec):
            pass
        return time.perf_counter() - began

    few = min([await seconds(30) for _ in range(3)])
    assert await seconds(900) < few * 300, "OTP's bound: ten times what is linear"


# -- reload -------------------------------------------------------------------------------------------------------------------


async def test_a_replaced_childs_specification_outlives_restarts_of_all_supervisors_above(stage: Stage) -> None:
    inner = SupervisorSpec(id="inner", children=stage.children("a", "b"))
    middle = SupervisorSpec(id="middle", children=(inner,))
    async with stage.running(root(stage, children=(middle,))) as tree:
        await tree.supervisor_of("a").replace(stage.child("a", shutdown=7.0))
        await tree.supervisor_of("a").replace(stage.child("c"))
        await tree.stop("b")
        await tree.supervisor_of("b").delete_child("b")
        assert stage.numbers("a") == [1]
        await tree.restart("middle")
        assert stage.living() == {"a", "c"}
        assert tree.child("a").spec.shutdown == 7.0
        assert [row.id for row in tree.supervisor_of("a").which_children()] == ["c", "a"]


async def test_a_child_of_the_list_that_ended_for_good_is_back_when_its_supervisor_restarts(stage: Stage) -> None:
    children = (stage.child("a", restart=Restart.TEMPORARY), *stage.children("b", "c"))
    inner = SupervisorSpec(id="inner", children=children)
    async with stage.running(root(stage, children=(inner,))) as tree:
        await stage.do("a", "end")
        await tree.stop("c")
        await tree.supervisor_of("c").delete_child("c")
        await tree.restart("inner")
        assert stage.living() == {"a", "b"}


async def test_an_added_child_that_cannot_start_stays_as_failed_and_nobody_else_is_concerned(stage: Stage) -> None:
    async with stage.running(root(stage, "a", intensity=0)) as tree:
        stage.start_as["b"] = "fail"
        await tree.root.replace(stage.child("b"))
        await settle(1)
        assert stage.living() == {"a"}
        assert stage.state("b") is State.FAILED


async def test_a_restart_by_call_returns_when_the_child_is_ready_also_in_a_group(stage: Stage) -> None:
    async with stage.running(root(stage, "a", "b", "c", strategy=Strategy.ONE_FOR_ALL)) as tree:
        stage.start_as["a"] = "5"
        began = trio.current_time()
        await tree.restart("b")
        assert trio.current_time() - began == pytest.approx(5)
        assert stage.state("b") is State.RUNNING


async def test_a_restart_by_call_of_one_that_cannot_start_returns_and_the_rules_go_on(stage: Stage) -> None:
    async with stage.running(root(stage, "a", "b")) as tree:
        stage.start_fails.set("a", 1)
        with trio.fail_after(1):
            await tree.restart("a")
        assert stage.state("a") is State.BACKOFF
        await settle(1)
        assert stage.state("a") is State.RUNNING


# -- children that call -------------------------------------------------------------------------------------------------------


class Settings(msgspec.Struct, frozen=True):
    """None."""


class Caller(Actor[Settings]):
    """Calls its own supervisor while it starts, runs or ends."""

    def __init__(self, stage: Stage, when: str, said: list[str]) -> None:
        super().__init__(Settings())
        self.stage = stage
        self.when = when
        self.said = said

    async def setup(self) -> None:
        if self.when == "setup":
            await self.call("terminate_child", "a")

    async def background(self) -> None:
        if self.when == "background":
            await trio.sleep(0.1)
            await self.call("bounce", "caller")

    async def teardown(self) -> None:
        if self.when == "teardown":
            await self.call("terminate_child", "a")

    async def call(self, name: str, id: str) -> None:
        try:
            await getattr(self.stage.tree.root, name)(id)
        except ActorUnavailable as error:
            self.said.append(str(error))


@pytest.mark.parametrize("when", ["setup", "background", "teardown"])
async def test_a_child_that_calls_its_own_supervisor_hangs_neither(stage: Stage, when: str) -> None:
    said: list[str] = []
    made: list[Caller] = []

    def make() -> Caller:
        made.append(Caller(stage, when if not made else "never", said))
        return made[-1]

    spec = root(stage, children=(stage.child("a"), ChildSpec(id="caller", start=make, shutdown=1.0)))
    async with stage.running(spec) as tree:
        await settle(1)
        assert stage.state("caller") is State.RUNNING
        tree.request_stop(5)
        outcome = await stage.outcome()
    assert outcome.error is None
    assert outcome.abandoned == ()
    refused = when in ("setup", "teardown")
    assert said == (["root is not available: the supervisor is starting or stopping"] if refused else [])
    assert len(made) == (2 if when == "background" else 1)


async def test_a_call_whose_caller_is_gone_before_its_turn_is_not_begun(stage: Stage) -> None:
    stage.stop_as["a"] = "2"
    async with stage.running(root(stage, "a", "b")) as tree, trio.open_nursery() as nursery:
        nursery.start_soon(tree.root.terminate_child, "a")
        await settle()
        with trio.move_on_after(1):
            await tree.root.terminate_child("b")
        await settle(5)
        assert stage.living() == {"b"}
