"""The supervisor: OTP's state machine, driven by one loop that alone changes its state.

Exits, readiness and calls arrive in an inbox and are taken one at a time, so between two attempts to restart a child
everything else is served (OTP's T31). What differs from OTP: a delay with backoff before each restart; and a child that
ignores its cancellation is abandoned, since a trio task cannot be killed.
"""

from __future__ import annotations

import math
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import outcome
import trio

from . import events
from .actor import Context, Runnable
from .budget import BackoffClock, RestartWindow
from .context import LiveContext
from .errors import (
    ActorUnavailable,
    ChildRefused,
    FatalExit,
    GaveUp,
    NoSuchChild,
    Shutdown,
    SupervisionError,
    describe,
)
from .incarnation import Incarnation
from .place import LastError
from .specs import AutoShutdown, ChildSpec, Kind, Restart, State, Strategy, SupervisorSpec

if TYPE_CHECKING:
    from .tree import Tree

ResultT = TypeVar("ResultT")

_LAST_GRACE = {Kind.PROCESS: 3.0}
"""What a child of this kind gets even when nothing is left of the whole stop: servers must not be left behind."""


class Child:
    """What a supervisor knows of one child."""

    __slots__ = ("backoff", "due", "incarnation", "pending", "place", "spec", "supervisor")

    def __init__(self, spec: ChildSpec | SupervisorSpec, tree: Tree, parent_path: str) -> None:
        self.spec = spec
        self.place = tree.place(spec, parent_path)
        self.backoff = BackoffClock(spec.backoff, tree.random)
        self.incarnation: Incarnation | None = None
        self.supervisor: Supervisor | None = None
        self.pending = False
        """To be started, not before ``due``."""
        self.due = 0.0

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def starting(self) -> bool:
        return self.incarnation is not None and not self.incarnation.ready

    @property
    def running(self) -> bool:
        return self.incarnation is not None and self.incarnation.ready

    @property
    def temporary(self) -> bool:
        return self.spec.restart is Restart.TEMPORARY


Task = Callable[[], Awaitable[None]]


class Supervisor:
    """One incarnation of a supervisor; a ``Runnable`` like any other child."""

    def __init__(self, spec: SupervisorSpec, path: str, tree: Tree, child: Child | None = None) -> None:
        self.spec = spec
        self.path = path
        self.children = [Child(each, tree, path) for each in spec.children]
        self.window = RestartWindow(spec.intensity, spec.period)
        self._tree = tree
        self._child = child
        """Our own record at our parent; ``None`` at the root."""
        self._inbox: deque[Task] = deque()
        self._wake = trio.Event()
        self._serving = False
        self._calls: list[_Call[Any]] = []
        self._serial = 0

    # -- life ----------------------------------------------------------------------------------------------------

    async def run(self, context: Context) -> None:
        """Starts the children in order, keeps them by the rules, stops them in reverse."""
        try:
            await self._start_all()
            context.ready()
            self._serving = True
            await self._serve()
        finally:
            self._serving = False
            with trio.CancelScope(shield=True):
                await self._stop_all()
            self._refuse_calls()

    async def _start_all(self) -> None:
        for child in list(self.children):
            incarnation = self._spawn(child)
            await incarnation.settled.wait()
            if incarnation.ready:
                self._started(child)
            elif not self._ignored(child, incarnation):
                self._report_failure(child, incarnation)
                raise self._failed_to_start(child, incarnation.error)

    def _failed_to_start(self, child: Child, error: BaseException | None) -> SupervisionError:
        if isinstance(error, FatalExit):
            return error
        return self._give_up(child, "failed to start child", error)

    async def _serve(self) -> None:
        while True:
            self._start_what_is_due()
            await self._wait()
            while self._inbox:
                await self._inbox.popleft()()

    async def _wait(self) -> None:
        """Until something is in the inbox or a child is due."""
        if self._inbox:
            await trio.lowlevel.checkpoint()
            return
        self._wake = trio.Event()
        due = min((child.due for child in self.children if child.pending), default=math.inf)
        with trio.move_on_at(due):
            await self._wake.wait()

    def _post(self, task: Task) -> None:
        self._inbox.append(task)
        self._wake.set()

    # -- starting ------------------------------------------------------------------------------------------------

    def _start_what_is_due(self) -> None:
        """Spawns what may start now: in a group strategy one after the other in order, else each when it is due."""
        ordered = self.spec.strategy in (Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE)
        now = trio.current_time()
        for child in self.children:
            if child.pending and child.due <= now:
                self._spawn(child)
            if ordered and (child.pending or child.starting):
                return

    def _spawn(self, child: Child) -> Incarnation:
        child.pending = False
        child.place.enter(State.STARTING)
        incarnation = self._new_incarnation(child)
        child.incarnation = incarnation
        if child.place.mailbox is not None:
            child.place.mailbox.open()
        self._tree.nursery.start_soon(
            incarnation.live,
            self._maker(child),
            lambda: self._post(lambda: self._on_end(child, incarnation)),
            name=child.id,
        )
        return incarnation

    def _new_incarnation(self, child: Child) -> Incarnation:
        def on_ready() -> None:
            incarnation.mark_ready()
            self._post(lambda: self._on_ready(child, incarnation))

        incarnation = Incarnation(LiveContext(child.place, self._tree.registry, on_ready))
        return incarnation

    def _maker(self, child: Child) -> Callable[[], Runnable]:
        spec = child.spec
        if isinstance(spec, ChildSpec):
            return spec.start
        child.supervisor = Supervisor(spec, child.place.path, self._tree, child)
        supervisor = child.supervisor
        return lambda: supervisor

    async def _on_ready(self, child: Child, incarnation: Incarnation) -> None:
        if child.incarnation is incarnation:
            self._started(child)

    def _started(self, child: Child) -> None:
        if child.place.state is State.STARTING and child.incarnation is not None:
            now = trio.current_time()
            child.place.enter(State.RUNNING)
            child.backoff.started(now)
            seconds = now - child.incarnation.started_at
            self._tree.emit(events.ChildStarted(path=child.place.path, seconds=seconds))

    # -- endings -------------------------------------------------------------------------------------------------

    async def _on_end(self, child: Child, incarnation: Incarnation) -> None:
        """A child ended without being told to."""
        if child.incarnation is not incarnation:
            return
        if self._ignored(child, incarnation):
            return
        child.incarnation = None
        failed = self._report_failure(child, incarnation)
        if isinstance(incarnation.error, FatalExit):
            raise incarnation.error
        if self._is_restarted(child, incarnation):
            await self._restart(child, incarnation.error)
            return
        self._settle_for_good(child, State.FAILED if failed else State.STOPPED)
        self._shut_down_if_significant(child)

    def _ignored(self, child: Child, incarnation: Incarnation) -> bool:
        """OTP's ignore: the specification stays without a process, unless it is temporary or dynamic."""
        if not incarnation.ignored:
            return False
        child.incarnation = None
        child.place.enter(State.STOPPED)
        if child.temporary or self._dynamic:
            self._forget(child)
        return True

    def _is_restarted(self, child: Child, incarnation: Incarnation) -> bool:
        if child.temporary:
            return False
        if not incarnation.ready:
            return True
        return child.spec.restart is Restart.PERMANENT or not incarnation.ended_well

    def _settle_for_good(self, child: Child, state: State) -> None:
        child.place.enter(state)
        if child.temporary:
            self._forget(child)
        elif child.place.mailbox is not None:
            child.place.mailbox.close(f"it is {state.value}")

    def _report_failure(self, child: Child, incarnation: Incarnation) -> bool:
        error = incarnation.error
        if error is None and not incarnation.ready:
            error = SupervisionError("it ended before it was ready")
        if error is None:
            self._tree.emit(events.ChildEnded(path=child.place.path))
            return False
        child.place.last_error = LastError(error)
        child.place.failures.add(trio.current_time())
        self._tree.emit(
            events.ChildFailed(
                path=child.place.path,
                error=describe(error),
                while_starting=not incarnation.ready,
                traceback="".join(traceback.format_exception(error)),
            )
        )
        return True

    def _shut_down_if_significant(self, child: Child) -> None:
        if not child.spec.significant:
            return
        others = any(other.incarnation is not None and other.spec.significant for other in self.children)
        mode = self.spec.auto_shutdown
        if mode is AutoShutdown.ANY_SIGNIFICANT or (mode is AutoShutdown.ALL_SIGNIFICANT and not others):
            raise Shutdown(f"significant child {child.id!r} ended")

    # -- restarting ----------------------------------------------------------------------------------------------

    async def _restart(self, child: Child, error: BaseException | None) -> None:
        """Counts, stops who goes down with the child, and plans their start."""
        now = trio.current_time()
        child.place.restarts += 1
        if not self.window.add(now):
            child.place.enter(State.FAILED)
            rule = f"restart intensity {self.spec.intensity} in {self.spec.period:g} s exceeded"
            raise self._give_up(child, rule, error)
        delay = child.backoff.next_delay(now)
        await self._take_down(child)
        self._plan(child, now + delay)
        self._tree.emit(
            events.RestartPlanned(
                path=child.place.path,
                delay=delay,
                restarts=self.window.count(now),
                intensity=self.spec.intensity,
                period=self.spec.period,
            )
        )

    async def _take_down(self, child: Child) -> None:
        """Stops the rest of the child's group in reverse order; temporary ones of it are gone for good (T13)."""
        for other in reversed(self._group(child)):
            if other is not child and (other.incarnation is not None or other.pending):
                await self._stop(other, keep_mailbox=not other.temporary)
                if other.temporary:
                    self._forget(other)

    def _plan(self, child: Child, due: float) -> None:
        for other in self._group(child):
            other.pending = True
            other.due = due
            other.place.enter(State.BACKOFF)
            other.place.backoff_until = due

    def _group(self, child: Child) -> list[Child]:
        if self.spec.strategy is Strategy.ONE_FOR_ALL:
            return list(self.children)
        if self.spec.strategy is Strategy.REST_FOR_ONE:
            return self.children[self.children.index(child) :]
        return [child]

    def _give_up(self, child: Child, rule: str, error: BaseException | None) -> GaveUp:
        self._tree.emit(events.SupervisorGaveUp(path=self.path, child=child.id, rule=rule, error=describe(error)))
        return GaveUp(self.spec.id, child.id, rule, error)

    # -- stopping ------------------------------------------------------------------------------------------------

    async def _stop_all(self) -> None:
        if self._dynamic:
            async with trio.open_nursery() as nursery:
                for child in self.children:
                    nursery.start_soon(self._stop, child)
            return
        for child in reversed(self.children):
            await self._stop(child)

    async def _stop(self, child: Child, keep_mailbox: bool = False) -> None:
        """Cancels, waits within the budget, abandons. Never raises for what the child does."""
        incarnation = child.incarnation
        child.pending = False
        if incarnation is not None:
            child.place.enter(State.STOPPING)
            if not keep_mailbox and child.place.mailbox is not None:
                child.place.mailbox.close("it is stopping")
            incarnation.scope.cancel(reason=f"{self.path} stops it")
            budget = self._budget(child)
            with trio.move_on_after(budget):
                await incarnation.ended.wait()
            child.incarnation = None
            if not incarnation.ended.is_set():
                self._abandon(child, incarnation, budget)
                return
            self._report_stop(child, incarnation)
        if child.place.state is not State.FAILED:
            child.place.enter(State.STOPPED)
        if not keep_mailbox and child.place.mailbox is not None:
            child.place.mailbox.close("it is stopped")

    def _budget(self, child: Child) -> float:
        left = max(self._tree.time_left(), _LAST_GRACE.get(child.place.kind, 0.1))
        return min(child.spec.shutdown, left)

    def _abandon(self, child: Child, incarnation: Incarnation, waited: float) -> None:
        incarnation.context.fence.raised = True
        incarnation.context.close()
        child.place.enter(State.ABANDONED)
        self._tree.abandoned.append(child.place.path)
        self._tree.emit(events.ChildAbandoned(path=child.place.path, seconds=waited))

    def _report_stop(self, child: Child, incarnation: Incarnation) -> None:
        error = incarnation.error
        if error is None or isinstance(error, Shutdown):
            self._tree.emit(events.ChildStopped(path=child.place.path))
            return
        child.place.last_error = LastError(error)
        self._tree.emit(events.StopFailed(path=child.place.path, error=describe(error)))

    def _forget(self, child: Child) -> None:
        if child in self.children:
            self.children.remove(child)
        self._tree.forget(child.place)

    # -- calls from outside --------------------------------------------------------------------------------------

    async def call(self, function: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Runs ``function`` in the supervisor's loop. Raises ``ActorUnavailable`` when it does not serve."""
        if not self._serving:
            raise self._not_serving()
        call: _Call[ResultT] = _Call(function)
        self._calls.append(call)
        self._post(call.run)
        try:
            await call.done.wait()
        finally:
            self._calls.remove(call)
        if call.result is None:
            raise self._not_serving()
        return call.result.unwrap()

    def _not_serving(self) -> ActorUnavailable:
        return ActorUnavailable(self.spec.id, "the supervisor is starting or stopping")

    def _refuse_calls(self) -> None:
        for call in self._calls:
            call.done.set()

    async def start_child(self, *args: Any) -> Child:
        """Adds a child at the end and waits until it is ready.

        Takes a specification; under ``simple_one_for_one`` what the template takes. Raises ``ChildRefused``, or what the
        start raised: then nothing stays of it.
        """
        spec = self._dynamic_spec(args) if self._dynamic else args[0]
        child = await self.call(lambda: self._add(spec))
        await self._until_settled(child)
        return child

    def _dynamic_spec(self, args: tuple[Any, ...]) -> ChildSpec:
        assert self.spec.template is not None
        self._serial += 1
        spec = self.spec.template(*args)
        return msgspec.structs.replace(spec, id=f"{spec.id}.{self._serial}")

    async def _add(self, spec: ChildSpec | SupervisorSpec) -> Child:
        self.spec.check_child(spec)
        limit = self.spec.max_children
        if limit is not None and len(self.children) >= limit:
            raise ChildRefused(f"{self.spec.id!r} has its max_children ({limit}) already")
        if any(child.id == spec.id for child in self.children) or spec.id in self._tree.registry.places:
            raise ChildRefused(f"{spec.id!r} is already present")
        child = Child(spec, self._tree, self.path)
        self.children.append(child)
        self._spawn(child)
        return child

    async def _until_settled(self, child: Child) -> None:
        incarnation = child.incarnation
        if incarnation is None:
            return
        await incarnation.settled.wait()
        if not incarnation.ready and not incarnation.ignored:
            await self.call(lambda: self._withdraw(child))
            raise incarnation.error or ChildRefused(f"{child.id!r} ended before it was ready")

    async def _withdraw(self, child: Child) -> None:
        await self._stop(child)
        self._forget(child)

    async def terminate_child(self, id: str) -> None:
        """Stops it; its specification stays, unless it is temporary. Good when it is stopped already."""
        await self.call(lambda: self._terminate(id))

    async def _terminate(self, id: str) -> None:
        child = self.child(id)
        await self._stop(child)
        if child.temporary or self._dynamic:
            self._forget(child)

    async def restart_child(self, id: str) -> None:
        """Starts a stopped child again. Raises ``ChildRefused`` when it runs or waits for its restart."""
        await self.call(lambda: self._revive(id))
        await self._until_ready(id)

    async def _revive(self, id: str) -> None:
        child = self.child(id)
        if child.pending:
            raise ChildRefused(f"{id!r} is restarting")
        if child.incarnation is not None:
            raise ChildRefused(f"{id!r} is running")
        self._spawn(child)

    async def _until_ready(self, id: str) -> None:
        child = self.child(id)
        if child.incarnation is not None:
            await child.incarnation.settled.wait()

    async def delete_child(self, id: str) -> None:
        """Removes a stopped child's specification. Raises ``ChildRefused`` while it runs or restarts."""
        await self.call(lambda: self._delete(id))

    async def _delete(self, id: str) -> None:
        child = self.child(id)
        if child.incarnation is not None or child.pending:
            raise ChildRefused(f"{id!r} is running; stop it first")
        self._forget(child)
        self._respec()

    async def bounce(self, id: str) -> None:
        """Stops a child and, by the strategy, those that stand on it, and starts them in order; costs no intensity."""
        await self.call(lambda: self._bounce(id))
        await self._until_ready(id)

    async def _bounce(self, id: str) -> None:
        child = self.child(id)
        await self._take_down(child)
        await self._stop(child, keep_mailbox=True)
        self._plan(child, trio.current_time())

    async def replace(self, spec: ChildSpec | SupervisorSpec) -> None:
        """Gives the child of this id a new specification and bounces it; a new id is added and started."""
        await self.call(lambda: self._replace(spec))
        await self._until_ready(spec.id)

    async def _replace(self, spec: ChildSpec | SupervisorSpec) -> None:
        self.spec.check_child(spec)
        if not any(child.id == spec.id for child in self.children):
            await self._add(spec)
            self._respec()
            return
        child = self.child(spec.id)
        await self._take_down(child)
        await self._stop(child, keep_mailbox=True)
        child.spec = spec
        child.place = self._tree.place(spec, self.path)
        self._plan(child, trio.current_time())
        self._respec()

    def _respec(self) -> None:
        """Remembers the children as they are now, here and above, so that a restart of this supervisor keeps them."""
        if not self._dynamic:
            self.spec = msgspec.structs.replace(self.spec, children=tuple(child.spec for child in self.children))
        if self._child is not None:
            self._child.spec = self.spec

    def child(self, id: str) -> Child:
        for child in self.children:
            if child.id == id:
                return child
        raise NoSuchChild(f"{self.spec.id!r} has no child {id!r}")

    def count_children(self) -> ChildCounts:
        """As OTP counts: supervisors and workers include those that do not run."""
        supervisors = sum(isinstance(child.spec, SupervisorSpec) for child in self.children)
        return ChildCounts(
            specs=1 if self._dynamic else len(self.children),
            active=sum(child.incarnation is not None for child in self.children),
            supervisors=supervisors,
            workers=len(self.children) - supervisors,
        )

    @property
    def _dynamic(self) -> bool:
        return self.spec.strategy is Strategy.SIMPLE_ONE_FOR_ONE


class ChildCounts(msgspec.Struct, frozen=True):
    """OTP's ``count_children``."""

    specs: int
    active: int
    supervisors: int
    workers: int


class _Call(Generic[ResultT]):
    """A call on its way through the inbox."""

    __slots__ = ("_function", "done", "result")

    def __init__(self, function: Callable[[], Awaitable[ResultT]]) -> None:
        self._function = function
        self.done = trio.Event()
        self.result: outcome.Outcome[ResultT] | None = None

    async def run(self) -> None:
        try:
            self.result = outcome.Value(await self._function())
        except SupervisionError as error:
            self.result = outcome.Error(error)
        finally:
            self.done.set()
