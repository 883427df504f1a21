"""Random trees and random programs of failures and calls: the supervisor does what the model of OTP's rules does.

Never a child alive that the model says is dead, starts and stops in the same order, restarts counted alike, stops within
the same times, and who was abandoned can do nothing any more. Five planted mutants must be found out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rustok_daemon.supervision.actor import Fence
from rustok_daemon.supervision.child import Child
from rustok_daemon.supervision.context import LiveContext
from rustok_daemon.supervision.errors import Fenced, GaveUp, SupervisionError
from rustok_daemon.supervision.incarnation import Incarnation
from rustok_daemon.supervision.specs import AutoShutdown, ChildSpec, Restart, State, Strategy, SupervisorSpec
from rustok_daemon.supervision.supervisor import Supervisor
from rustok_daemon.supervision.tree import Tree
from tests.supervision.conftest import run_jumping
from tests.supervision.otp_model import Model, Refused
from tests.supervision.stage import PROMPT, Stage, settle

QUICK = (0.031, 0.07, 0.26, 1.3)
LONG = 30.0
"""Seconds in which everything that one command causes has come to an end."""
SHIFT = 0.00137
"""No two commands come at times between which a whole number of delays lies: what happens at once has no order."""


# -- programs ------------------------------------------------------------------------------------------------------


class Program:
    """A tree, how its children stop, and what is done to it. ``quick``: commands come while restarts are due."""

    def __init__(self, spec: SupervisorSpec, quick: bool, stops: dict[str, float], commands: list[Any]) -> None:
        self.spec = spec
        self.quick = quick
        self.stops = stops
        self.commands = commands

    def __repr__(self) -> str:
        return f"Program({_sketch(self.spec)}, quick={self.quick}, stops={self.stops}, commands={self.commands})"


def _sketch(spec: ChildSpec | SupervisorSpec) -> str:
    flags = f"{spec.id} {spec.restart.value}{' significant' if spec.significant else ''}, {spec.shutdown:g} s"
    if isinstance(spec, ChildSpec):
        return f"<{flags}>"
    rule = f"{spec.strategy.value} {spec.intensity} in {spec.period:g} s, {spec.auto_shutdown.value}"
    return f"<{flags}, {rule}: {' '.join(map(_sketch, spec.children))}>"


@st.composite
def supervisors(draw: st.DrawFn, stage: Stage, id: str, depth: int) -> SupervisorSpec:
    auto = draw(st.sampled_from([AutoShutdown.NEVER, AutoShutdown.NEVER, *AutoShutdown]))
    count = draw(st.integers(1, 4 if depth else 3))
    children: list[ChildSpec | SupervisorSpec] = []
    for number in range(count):
        name = f"{id}{number}"
        if depth < 2 and draw(st.integers(0, 3)) == 0:
            children.append(draw(supervisors(stage, name, depth + 1)))
        else:
            children.append(stage.child(name, **draw(ends(auto)), shutdown=draw(st.sampled_from((1.0, 2.0)))))
    return SupervisorSpec(
        id=id,
        children=tuple(children),
        strategy=draw(st.sampled_from((Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE))),
        intensity=draw(st.integers(0, 4)),
        period=draw(st.sampled_from((1.0, 5.0, 60.0))),
        auto_shutdown=auto,
        shutdown=draw(st.sampled_from((math.inf, math.inf, 1.5))),
        backoff=PROMPT,
        **({} if depth == 0 else draw(ends(AutoShutdown.NEVER))),
    )


@st.composite
def ends(draw: st.DrawFn, auto: AutoShutdown) -> dict[str, Any]:
    restart = draw(st.sampled_from((Restart.PERMANENT, Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY)))
    may_be = auto is not AutoShutdown.NEVER and restart is not Restart.PERMANENT
    return {"restart": restart, "significant": may_be and draw(st.booleans())}


def commands() -> st.SearchStrategy[Any]:
    which = st.integers(0, 30)
    return st.one_of(
        st.tuples(st.sampled_from(("fail", "fail", "fail", "end", "shutdown")), which),
        st.tuples(st.just("break"), which, st.integers(1, 4)),
        st.tuples(st.sampled_from(("terminate", "restart", "delete", "bounce", "add")), which),
    )


@st.composite
def programs(draw: st.DrawFn, stage: Stage) -> Program:
    spec = draw(supervisors(stage, "n", 0))
    quick = draw(st.booleans())
    leaves = _leaves(spec)
    slow = st.dictionaries(st.sampled_from(leaves), st.sampled_from((0.6, math.inf)), max_size=2)
    stops = {} if quick else draw(slow)
    waits = st.sampled_from(QUICK) if quick else st.just(LONG)
    return Program(spec, quick, stops, draw(st.lists(st.tuples(commands(), waits), min_size=1, max_size=12)))


def _leaves(spec: SupervisorSpec) -> list[str]:
    found: list[str] = []
    for child in spec.children:
        found += [child.id] if isinstance(child, ChildSpec) else _leaves(child)
    return found or ["none"]


# -- the run -------------------------------------------------------------------------------------------------------


class Ledger:
    """Stands for the pool: what each holder gets is bound to its fence."""

    def __init__(self, fence: Fence | None = None) -> None:
        self._fence = fence

    def held_by(self, fence: Fence) -> Ledger:
        return Ledger(fence)

    def write(self) -> None:
        if self._fence is not None:
            self._fence.check()


class Run:
    """One program, done to the supervisor and to the model side by side."""

    def __init__(self, stage: Stage, program: Program) -> None:
        self.stage = stage
        self.program = program
        self.model = Model(program.spec)
        self.steps = 0
        for id, seconds in program.stops.items():
            self.model.stop_takes[id] = seconds
            stage.stop_as[id] = "ignore" if seconds == math.inf else str(seconds)

    async def __call__(self) -> None:
        async with self.stage.running(self.program.spec, resources={Ledger: Ledger()}) as tree:
            self.began = trio.current_time()
            self.compare(tree)
            for command, wait in self.program.commands:
                if self.model.over:
                    break
                await self.step(tree, command, wait)
                self.compare(tree)
            if not self.model.over:
                await self.stop(tree)
            self.compare_end(tree)

    @property
    def now(self) -> float:
        return trio.current_time() - self.began

    async def step(self, tree: Tree, command: Any, wait: float) -> None:
        self.steps += 1
        name, which, *rest = command
        if name in ("fail", "end", "shutdown"):
            await self.end(name, which)
        elif name == "break":
            self.break_starts(which, rest[0])
        else:
            await self.call(tree, name, which)
        until = max(self.model.now, self.now) + wait + SHIFT * self.steps
        self.model.advance(until)
        until = max(until, self.model.now)
        await trio.sleep(until - self.now)
        await settle()

    async def end(self, name: str, which: int) -> None:
        if alive := self.model.alive():
            id = alive[which % len(alive)]
            self.model.ends(id, name)
            self.stage[id].do(name)

    def break_starts(self, which: int, count: int) -> None:
        leaves = [node.id for node in self.model.nodes() if node.is_leaf]
        if leaves:
            id = leaves[which % len(leaves)]
            self.model.start_fails[id] = count
            self.stage.start_fails.set(id, count)

    async def call(self, tree: Tree, name: str, which: int) -> None:
        targets = [node.id for node in self.model.nodes() if name != "add" or not node.is_leaf]
        if name == "add":
            targets.append(self.program.spec.id)
        if not targets:
            return
        id = targets[which % len(targets)]
        spec = self.stage.child(f"{id}_{self.steps}", restart=Restart.TRANSIENT, shutdown=1.0)
        expected = _outcome_of(lambda: self.model.add(id, spec) if name == "add" else getattr(self.model, name)(id))
        if name == "bounce":
            self.model.advance(self.model.now)
        got = await _answer_of(tree, name, id, spec)
        assert got == expected, f"{name} {id}: {got}, not {expected}"

    async def stop(self, tree: Tree) -> None:
        within = (math.inf, 0.3, 5.0)[self.steps % 3]
        self.model.now = self.now
        self.model.stop(within)
        tree.request_stop(within)
        await self.stage.outcome()
        assert self.now == pytest.approx(self.model.now)

    # -- what must agree -------------------------------------------------------------------------------------------

    def compare(self, tree: Tree) -> None:
        assert self.stage.log == self.model.log
        assert sorted(self.stage.living()) == self.model.alive()
        for puppet in self.stage.puppets():
            assert _can_write(puppet.context) is not puppet.abandoned, f"{puppet.id} is fenced, and only then"
        if not self.model.over:
            self.compare_states(tree)

    def compare_states(self, tree: Tree) -> None:
        for node in self.model.nodes():
            if node.parent is not None and node.parent.up:
                child = tree.child(node.id)
                assert (child.place.state is State.RUNNING) is node.up, f"{node.id}: {child.place.state}"
                assert (child.place.state is State.BACKOFF) is node.pending, f"{node.id}: {child.place.state}"

    def compare_end(self, tree: Tree) -> None:
        self.compare(tree)
        assert tree.outcome is not None
        assert isinstance(tree.outcome.error, GaveUp) is self.model.gave_up
        assert [path.rpartition("/")[2] for path in tree.outcome.abandoned] == self.model.abandoned


def _can_write(context: Any) -> bool:
    try:
        context.view(Ledger).get().write()
    except Fenced:
        return False
    return True


def _outcome_of(call: Callable[[], None]) -> str:
    try:
        call()
    except Refused:
        return "refused"
    return "done"


async def _answer_of(tree: Tree, name: str, id: str, spec: ChildSpec) -> str:
    try:
        if name == "add":
            supervisor = next(each for each in tree.supervisors() if each.spec.id == id)
            await supervisor.start_child(spec)
        else:
            supervisor = tree.supervisor_of(id)
            calls = {"terminate": supervisor.terminate_child, "restart": supervisor.restart_child}
            await {**calls, "delete": supervisor.delete_child, "bounce": supervisor.bounce}[name](id)
    except (SupervisionError, StopIteration):
        return "refused"
    return "done"


def check(data: st.DataObject) -> None:
    async def main() -> None:
        stage = Stage()
        await Run(stage, data.draw(programs(stage)))()

    run_jumping(main)


LIMITS = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
    phases=(Phase.generate, Phase.shrink),
)


@settings(LIMITS, max_examples=250)
@given(st.data())
def test_the_supervisor_does_what_the_rules_say(data: st.DataObject) -> None:
    check(data)


# -- mutants ---------------------------------------------------------------------------------------------------------


def rest_for_one_restarts_only_the_failed_child(patch: pytest.MonkeyPatch) -> None:
    group = Supervisor._group

    def mutant(self: Supervisor, child: Child) -> list[Child]:
        return [child] if self.spec.strategy is Strategy.REST_FOR_ONE else group(self, child)

    patch.setattr(Supervisor, "_group", mutant)


def failed_starts_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    on_end = Supervisor._on_end

    async def mutant(self: Supervisor, child: Child, incarnation: Incarnation) -> None:
        counted = list(self.window._times)
        if not incarnation.ready:
            self.window._times.clear()
        await on_end(self, child, incarnation)
        if not incarnation.ready:
            self.window._times.clear()
            self.window._times.extend(counted)

    patch.setattr(Supervisor, "_on_end", mutant)


def stops_in_start_order(patch: pytest.MonkeyPatch) -> None:
    stop_all = Supervisor._stop_all

    async def mutant(self: Supervisor) -> None:
        self._children = dict(reversed(self._children.items()))
        await stop_all(self)

    patch.setattr(Supervisor, "_stop_all", mutant)


def starts_before_readiness(patch: pytest.MonkeyPatch) -> None:
    spawn = Supervisor._spawn

    def mutant(self: Supervisor, child: Child) -> Incarnation:
        incarnation = spawn(self, child)
        incarnation.mark_ready()
        return incarnation

    patch.setattr(Supervisor, "_spawn", mutant)


def an_abandoned_childs_pool_handle_still_works(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LiveContext, "abandon", LiveContext.close)


MUTANTS = (
    rest_for_one_restarts_only_the_failed_child,
    failed_starts_are_not_counted,
    stops_in_start_order,
    starts_before_readiness,
    an_abandoned_childs_pool_handle_still_works,
)


@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__)
def test_the_model_finds_out_a_mutant(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    @settings(LIMITS, max_examples=400, phases=(Phase.generate,), report_multiple_bugs=False)
    @given(st.data())
    def attempt(data: st.DataObject) -> None:
        check(data)

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(BaseException) as found:  # noqa: PT011
            attempt()
    assert _is_mismatch(found.value), found.value


def _is_mismatch(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_mismatch(each) for each in error.exceptions)
    return isinstance(error, AssertionError | trio.TooSlowError)
