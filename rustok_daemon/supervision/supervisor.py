"""The supervisor: OTP's state machine, driven by one loop that alone changes its state.

Exits, readiness and calls arrive in an inbox and are taken one at a time, so between two attempts to restart a child
everything else is served (OTP's T31). What differs from OTP: a delay with backoff before each restart; mailboxes outlive
restarts; and a child that ignores its cancellation is abandoned, since a trio task cannot be killed.
"""

from __future__ import annotations

import math
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import trio

from . import events
from .actor import Context, Runnable
from .budget import RestartWindow
from .calls import Call
from .child import Child, ChildCounts, ChildRow, IfStartFails
from .context import LiveContext
from .errors import (
    ActorUnavailable,
    ChildRefused,
    FatalExit,
    GaveUp,
    NoSuchChild,
    Shutdown,
    StartFailed,
    SupervisionError,
    TeardownCut,
    describe,
)
from .incarnation import Incarnation
from .place import LastError
from .specs import AutoShutdown, ChildSpec, Kind, Restart, State, Strategy, SupervisorSpec, walk

if TYPE_CHECKING:
    from .tree import Tree

ResultT = TypeVar("ResultT")

_LAST_GRACE = {Kind.PROCESS: 3.0}
"""What a child of this kind gets even when nothing is left of the whole stop: servers must not be left behind."""
_TO_LEAVE = 0.1
"""Seconds a child gets beyond its budget, in which its teardown has been cut off: it need only leave."""

Task = Callable[[], Awaitable[None]]


class Supervisor:
    """One incarnation of a supervisor; a ``Runnable`` like any other child."""

    def __init__(self, spec: SupervisorSpec, path: str, tree: Tree, parent: Supervisor | None = None) -> None:
        self.spec = spec
        self.path = path
        self.window = RestartWindow(spec.intensity, spec.period)
        self.end_by = math.inf
        """By when all of it is to be stopped; what it is told by the supervisor above."""
        self.keeps_mailboxes = parent is not None
        """Whether messages to its children outlive its end: they do until the supervisor above knows better."""
        self._tree = tree
        self._parent = parent
        self._children: dict[str, Child] = {}
        for each in spec.children:
            self._children[each.id] = Child(each, tree, path)
        self._planned: dict[Child, None] = {}
        """Who is to be started when it is ``due``, in the order of the plans."""
        self._failing: dict[Child, Incarnation] = {}
        """Whose end is due by itself."""
        self._inbox: deque[Task] = deque()
        self._wake = trio.Event()
        self._serving = False
        self._calls: list[Call[Any]] = []
        self._serial = 0

    @property
    def children(self) -> Collection[Child]:
        """In start order."""
        return self._children.values()

    @property
    def _dynamic(self) -> bool:
        return self.spec.strategy is Strategy.SIMPLE_ONE_FOR_ONE

    @property
    def _ordered(self) -> bool:
        return self.spec.strategy in (Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE)

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
            self._refuse_calls()
            with trio.CancelScope(shield=True):
                await self._stop_all()

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
            await self._wait(self._start_what_is_due())
            while self._inbox:
                await self._inbox.popleft()()
            await self._abandon_overdue()

    async def _wait(self, due: float) -> None:
        """Until something is in the inbox, or the time for something has come."""
        if self._inbox:
            await trio.lowlevel.checkpoint()
            return
        self._wake = trio.Event()
        overdue = min((incarnation.end_by for incarnation in self._failing.values()), default=math.inf)
        with trio.move_on_at(min(due, overdue + _TO_LEAVE)):
            await self._wake.wait()

    def _post(self, task: Task) -> None:
        self._inbox.append(task)
        self._wake.set()

    # -- starting ------------------------------------------------------------------------------------------------

    def _start_what_is_due(self) -> float:
        """Spawns what may start now, and says when to look again: in a group strategy one after the other in order."""
        now = trio.current_time()
        if self._ordered and self._planned:
            return self._start_next(now)
        for child in [child for child in self._planned if child.due <= now]:
            self._spawn(child)
        return min((child.due for child in self._planned), default=math.inf)

    def _start_next(self, now: float) -> float:
        """One that is starting is waited for, however long the next has been due."""
        for child in self.children:
            if child.starting:
                return math.inf
            if child.pending:
                if child.due > now:
                    return child.due
                self._spawn(child)
                return math.inf
        return math.inf

    def _spawn(self, child: Child) -> Incarnation:
        self._unplan(child)
        child.settled = _unset(child.settled)
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

        def on_failing(error: BaseException) -> None:
            incarnation.fails(error)
            incarnation.bound(trio.current_time() + child.spec.shutdown)
            self._post(lambda: self._on_failing(child, incarnation))

        incarnation = Incarnation(LiveContext(child.place, self._tree.registry, on_ready, on_failing))
        return incarnation

    def _maker(self, child: Child) -> Callable[[], Runnable]:
        spec = child.spec
        if isinstance(spec, ChildSpec):
            return spec.start

        def make() -> Supervisor:
            child.supervisor = Supervisor(spec, child.place.path, self._tree, self)
            return child.supervisor

        return make

    async def _on_ready(self, child: Child, incarnation: Incarnation) -> None:
        if child.incarnation is incarnation:
            self._started(child)

    def _started(self, child: Child) -> None:
        if child.place.state is State.STARTING and child.incarnation is not None:
            now = trio.current_time()
            child.place.enter(State.RUNNING)
            child.backoff.started(now)
            child.if_start_fails = IfStartFails.RESTART
            child.settled.set()
            seconds = now - child.incarnation.started_at
            self._tree.emit(events.ChildStarted(path=child.place.path, seconds=seconds))

    # -- endings -------------------------------------------------------------------------------------------------

    async def _on_failing(self, child: Child, incarnation: Incarnation) -> None:
        """Something in it failed, and the rest of it is being cancelled: within ``shutdown``, as when it is stopped."""
        if child.incarnation is incarnation and not incarnation.ended.is_set():
            child.place.enter(State.STOPPING)
            self._failing[child] = incarnation

    async def _abandon_overdue(self) -> None:
        now = trio.current_time()
        for child, incarnation in list(self._failing.items()):
            if child.incarnation is not incarnation or incarnation.ended.is_set():
                del self._failing[child]
            elif incarnation.end_by + _TO_LEAVE <= now:
                del self._failing[child]
                self._abandon(child, incarnation)
                await self._on_end(child, incarnation)

    async def _on_end(self, child: Child, incarnation: Incarnation) -> None:
        """A child ended without being told to."""
        if child.incarnation is not incarnation:
            return
        if self._ignored(child, incarnation):
            return
        child.incarnation = None
        child.settled.set()
        failed = self._report_failure(child, incarnation)
        if not incarnation.ready and child.if_start_fails is not IfStartFails.RESTART:
            self._withdraw(child)
        elif isinstance(incarnation.error, FatalExit):
            raise incarnation.error
        elif self._is_restarted(child, incarnation):
            await self._restart(child, incarnation.error)
        else:
            self._settle_for_good(child, State.FAILED if failed else State.STOPPED)
            self._shut_down_if_significant(child)

    def _ignored(self, child: Child, incarnation: Incarnation) -> bool:
        """OTP's ignore: the specification stays without a process, unless it is temporary or dynamic."""
        if not incarnation.ignored:
            return False
        child.incarnation = None
        child.settled.set()
        self._settle_for_good(child, State.STOPPED)
        if self._dynamic:
            self._forget(child)
        return True

    def _withdraw(self, child: Child) -> None:
        """A start that was somebody's call failed: it is theirs to know, and nothing is restarted."""
        if child.if_start_fails is IfStartFails.FORGET:
            self._forget(child)
        else:
            self._settle_for_good(child, State.FAILED)

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
        else:
            child.close_mailboxes(f"it is {state.value}")

    def _report_failure(self, child: Child, incarnation: Incarnation) -> bool:
        error, incarnation.reported = incarnation.error, True
        if error is None or (isinstance(error, Shutdown) and not isinstance(error, GaveUp)):
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
        others = any(other.spec.significant and (other.incarnation or other.pending) for other in self.children)
        mode = self.spec.auto_shutdown
        if mode is AutoShutdown.ANY_SIGNIFICANT or (mode is AutoShutdown.ALL_SIGNIFICANT and not others):
            raise Shutdown(f"significant child {child.id!r} ended")

    # -- restarting ----------------------------------------------------------------------------------------------

    async def _restart(self, child: Child, error: BaseException | None) -> None:
        """Counts, stops who goes down with the child, and plans their start."""
        now = trio.current_time()
        if not self.window.add(now):
            child.place.enter(State.FAILED)
            rule = f"restart intensity {self.spec.intensity} in {self.spec.period:g} s exceeded"
            raise self._give_up(child, rule, error)
        child.place.restarts += 1
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
        """The whole group of ``child`` is started anew, not before ``due``."""
        for other in self._group(child):
            other.pending, other.due, other.head = True, due, child
            other.if_start_fails = IfStartFails.RESTART
            self._planned[other] = None
            other.settled = _unset(other.settled)
            other.place.enter(State.BACKOFF)
            other.place.backoff_until = due

    def _unplan(self, child: Child) -> None:
        child.pending, child.head = False, None
        self._planned.pop(child, None)

    def _group(self, child: Child) -> list[Child]:
        if self.spec.strategy is Strategy.ONE_FOR_ALL:
            return list(self.children)
        if self.spec.strategy is Strategy.REST_FOR_ONE:
            children = list(self.children)
            return children[children.index(child) :]
        return [child]

    def _give_up(self, child: Child, rule: str, error: BaseException | None) -> GaveUp:
        self._tree.emit(events.SupervisorGaveUp(path=self.path, child=child.id, rule=rule, error=describe(error)))
        return GaveUp(self.spec.id, child.id, rule, error)

    # -- stopping ------------------------------------------------------------------------------------------------

    async def _stop_all(self) -> None:
        """In reverse order, one after the other; dynamic ones all at once, and they are forgotten."""
        if self._dynamic:
            async with trio.open_nursery() as nursery:
                for child in self.children:
                    nursery.start_soon(self._stop, child)
        else:
            for child in reversed(list(self.children)):
                await self._stop(child, keep_mailbox=self.keeps_mailboxes)
        kept = {each.id for each in self.spec.children}
        for child in [child for child in self.children if child.id not in kept]:
            self._forget(child)

    async def _stop(self, child: Child, keep_mailbox: bool = False) -> None:
        """Cancels, waits within the budget, abandons. Never raises for what the child does."""
        incarnation = child.incarnation
        self._unplan(child)
        if incarnation is None:
            self._stopped(child, keep_mailbox)
            return
        failed = incarnation.error is not None
        child.place.enter(State.STOPPING)
        if not keep_mailbox and child.place.mailbox is not None:
            child.place.mailbox.close("it is stopping")
        await self._end(child, incarnation, keep_mailbox)
        child.incarnation = None
        if not incarnation.ended.is_set():
            self._abandon(child, incarnation)
        elif failed and not incarnation.reported:
            self._report_failure(child, incarnation)
        elif not failed:
            self._report_stop(child, incarnation)
        if failed:
            child.place.enter(State.FAILED)
        self._stopped(child, keep_mailbox)

    async def _end(self, child: Child, incarnation: Incarnation, keep_mailbox: bool) -> None:
        """Asks it to end, and waits.

        A supervisor is given its time, and divides it among its own children; it is not abandoned itself, since each of
        them is.
        """
        incarnation.bound(self._end_of(child))
        if child.supervisor is not None:
            child.supervisor.end_by = incarnation.end_by
            child.supervisor.keeps_mailboxes = keep_mailbox
        patience = math.inf if child.place.kind is Kind.SUPERVISOR else incarnation.end_by + _TO_LEAVE
        incarnation.scope.cancel(reason=f"{self.path} stops it")
        with trio.CancelScope(deadline=patience):
            await incarnation.ended.wait()

    def _end_of(self, child: Child) -> float:
        """Its budget, or what is left of the whole if that is less."""
        now = trio.current_time()
        whole = max(min(self.end_by, self._tree.end_by), now + _LAST_GRACE.get(child.place.kind, 0.0))
        return min(now + child.spec.shutdown, whole)

    def _stopped(self, child: Child, keep_mailbox: bool) -> None:
        if child.place.state not in (State.FAILED, State.ABANDONED):
            child.place.enter(State.STOPPED)
        if not keep_mailbox:
            child.close_mailboxes(f"it is {child.place.state.value}")
        child.settled.set()

    def _abandon(self, child: Child, incarnation: Incarnation) -> None:
        incarnation.context.abandon()
        child.place.enter(State.ABANDONED)
        child.place.abandoned += 1
        self._tree.abandoned.append(child.place.path)
        self._tree.emit(events.ChildAbandoned(path=child.place.path, seconds=child.spec.shutdown))

    def _report_stop(self, child: Child, incarnation: Incarnation) -> None:
        error = incarnation.error
        if error is None or isinstance(error, Shutdown):
            self._tree.emit(events.ChildStopped(path=child.place.path))
            return
        if isinstance(error, TeardownCut):
            self._tree.cut.append(child.place.path)
        child.place.last_error = LastError(error)
        self._tree.emit(events.StopFailed(path=child.place.path, error=describe(error)))

    def _forget(self, child: Child) -> None:
        self._unplan(child)
        if self._children.get(child.id) is child:
            del self._children[child.id]
        child.close_mailboxes("it is gone")
        child.settled.set()
        for place in child.places():
            self._tree.forget(place)

    # -- calls from outside --------------------------------------------------------------------------------------

    async def call(self, function: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Runs ``function`` in the supervisor's loop. Raises ``ActorUnavailable`` when it does not serve."""
        if not self._serving:
            raise self._not_serving()
        call: Call[ResultT] = Call(function)
        self._calls.append(call)
        self._post(call.run)
        try:
            await call.done.wait()
        finally:
            call.wanted = False
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

        Takes a specification; under ``simple_one_for_one`` what the template takes. Raises ``ChildRefused``, or
        ``StartFailed``: then nothing stays of it.
        """
        spec = self._dynamic_spec(args) if self._dynamic else args[0]
        child, incarnation = await self.call(lambda: self._add(spec, IfStartFails.FORGET))
        await self._until_started(child, incarnation)
        return child

    def _dynamic_spec(self, args: tuple[Any, ...]) -> ChildSpec:
        assert self.spec.template is not None
        self._serial += 1
        spec = self.spec.template(*args)
        return msgspec.structs.replace(spec, id=f"{spec.id}.{self._serial}")

    async def _add(self, spec: ChildSpec | SupervisorSpec, if_start_fails: IfStartFails) -> tuple[Child, Incarnation]:
        self.spec.check_child(spec)
        limit = self.spec.max_children
        if limit is not None and len(self._children) >= limit:
            raise ChildRefused(f"{self.spec.id!r} has its max_children ({limit}) already")
        for each in walk(spec):
            if each.id in self._tree.registry.places:
                raise ChildRefused(f"{each.id!r} is already present")
        child = self._children[spec.id] = Child(spec, self._tree, self.path)
        child.if_start_fails = if_start_fails
        return child, self._spawn(child)

    async def _until_started(self, child: Child, incarnation: Incarnation) -> None:
        """Raises ``StartFailed`` if the start that a call began came to nothing."""
        await child.settled.wait()
        if incarnation.ready or incarnation.ignored:
            return
        error = incarnation.error
        why = "it was stopped before it was ready" if error is None else describe(error)
        raise StartFailed(f"{child.id!r} could not be started: {why}") from error

    async def terminate_child(self, id: str) -> None:
        """Stops it; its specification stays, unless it is temporary. Good when it is stopped already.

        One that is restarting is given up, and with it those that were to be started for its sake (T32).
        """
        await self.call(lambda: self._terminate(id))

    async def _terminate(self, id: str) -> None:
        child = self.child(id)
        called_off = [other for other in self._planned if other.head is child and other is not child]
        if child.pending or child.starting:
            for other in called_off:
                await self._stop(other)
        await self._stop(child)
        if child.temporary or self._dynamic:
            self._forget(child)

    async def restart_child(self, id: str) -> None:
        """Starts a stopped child again. Raises ``ChildRefused`` when it runs or waits for its restart, ``StartFailed``."""
        child, incarnation = await self.call(lambda: self._revive(id))
        await self._until_started(child, incarnation)

    async def _revive(self, id: str) -> tuple[Child, Incarnation]:
        child = self._idle(id)
        child.if_start_fails = IfStartFails.KEEP
        return child, self._spawn(child)

    async def delete_child(self, id: str) -> None:
        """Removes a stopped child's specification. Raises ``ChildRefused`` while it runs or restarts."""
        await self.call(lambda: self._delete(id))

    async def _delete(self, id: str) -> None:
        self._forget(self._idle(id))
        self._respecify([each for each in self.spec.children if each.id != id])

    def _idle(self, id: str) -> Child:
        """The child, if it has neither a process nor a plan to get one."""
        child = self.child(id)
        if self._dynamic:
            raise ChildRefused(f"{id!r} is a child of {self.spec.id!r}, whose children can only be started and stopped")
        if child.pending:
            raise ChildRefused(f"{id!r} is restarting")
        if child.incarnation is not None:
            raise ChildRefused(f"{id!r} is running; stop it first")
        return child

    async def bounce(self, id: str) -> None:
        """Stops a child and, by the strategy, those that stand on it, and starts them in order; costs no intensity.

        Returns when it is ready, or when its first attempt to start has failed and is repeated by the rules.
        """
        child = await self.call(lambda: self._bounce(self.child(id)))
        await child.settled.wait()

    async def _bounce(self, child: Child, spec: ChildSpec | SupervisorSpec | None = None) -> Child:
        await self._take_down(child)
        await self._stop(child, keep_mailbox=True)
        if spec is not None:
            child.respecify(spec, self._tree, self.path)
        self._plan(child, trio.current_time())
        return child

    async def replace(self, spec: ChildSpec | SupervisorSpec) -> None:
        """Gives the child of this id a new specification and bounces it; a new id is added and started.

        A restart of this supervisor, or of one above, keeps the change. One that is new and cannot start stays, as failed.
        """
        child = await self.call(lambda: self._replace(spec))
        await child.settled.wait()

    async def _replace(self, spec: ChildSpec | SupervisorSpec) -> Child:
        self.spec.check_child(spec)
        if self._dynamic:
            raise ChildRefused(f"children of {self.spec.id!r} can only be started with start_child")
        child = self._children.get(spec.id)
        if child is None:
            child, _ = await self._add(spec, IfStartFails.KEEP)
            self._respecify([*self.spec.children, spec])
            return child
        await self._bounce(child, spec)
        self._respecify([spec if each.id == spec.id else each for each in self.spec.children])
        return child

    async def amend(self, spec: ChildSpec) -> None:
        """Gives the child of this id a new specification and lets it run on; from its next start on it is made by it."""
        await self.call(lambda: self._amend(spec))

    async def _amend(self, spec: ChildSpec) -> None:
        self.spec.check_child(spec)
        child = self.child(spec.id)
        child.spec = spec
        child.place = self._tree.place(spec, self.path)
        self._respecify([spec if each.id == spec.id else each for each in self.spec.children])

    async def change(self, spec: SupervisorSpec) -> None:
        """Takes other flags and children's specifications over while it runs; OTP's code_change.

        Who runs goes on, with the new specification from its next start on. Who is new is not started. Who is no longer
        listed stays until it is deleted, or this supervisor restarts. Raises ``ChildRefused``: then nothing has changed.
        """
        await self.call(lambda: self._change(spec))

    async def _change(self, spec: SupervisorSpec) -> None:
        self._check_change(spec)
        new = {each.id: Child(each, self._tree, self.path) for each in spec.children if each.id not in self._children}
        for each in spec.children:
            if each.id not in new:
                self._children[each.id].respecify(each, self._tree, self.path)
        listed = {each.id: new.get(each.id) or self._children[each.id] for each in spec.children}
        self._children = listed | {id: child for id, child in self._children.items() if id not in listed}
        self.window.intensity, self.window.period = spec.intensity, spec.period
        self.spec = spec
        if self._parent is not None:
            self._parent.remember(spec)

    def _check_change(self, spec: SupervisorSpec) -> None:
        if spec.id != self.spec.id:
            raise ChildRefused(f"{self.spec.id!r} cannot be renamed to {spec.id!r}")
        if (spec.strategy is Strategy.SIMPLE_ONE_FOR_ONE) != self._dynamic:
            raise ChildRefused(f"{self.spec.id!r} has a template or children; it cannot change from one to the other")
        for each in spec.children:
            known = self._children.get(each.id)
            if known is None and each.id in self._tree.registry.places:
                raise ChildRefused(f"{each.id!r} is already present elsewhere")
            if known is not None and isinstance(known.spec, ChildSpec) is not isinstance(each, ChildSpec):
                raise ChildRefused(f"{each.id!r} cannot become, or cease to be, a supervisor while it is present")

    def _respecify(self, children: list[ChildSpec | SupervisorSpec]) -> None:
        """Remembers its children as they are to be, here and above."""
        self.spec = msgspec.structs.replace(self.spec, children=tuple(children))
        if self._parent is not None:
            self._parent.remember(self.spec)

    def remember(self, spec: SupervisorSpec) -> None:
        """A supervisor below has other children now."""
        self.child(spec.id).spec = spec
        self._respecify([spec if each.id == spec.id else each for each in self.spec.children])

    # -- questions -----------------------------------------------------------------------------------------------

    def child(self, id: str) -> Child:
        """Raises ``NoSuchChild``."""
        if id not in self._children:
            raise NoSuchChild(f"{self.spec.id!r} has no child {id!r}")
        return self._children[id]

    def which_children(self) -> list[ChildRow]:
        """A row a child, in reverse start order."""
        return [child.row() for child in reversed(self._children.values())]

    def count_children(self) -> ChildCounts:
        supervisors = sum(isinstance(child.spec, SupervisorSpec) for child in self.children)
        return ChildCounts(
            specs=1 if self._dynamic else len(self._children),
            active=sum(child.incarnation is not None and not child.starting for child in self.children),
            supervisors=supervisors,
            workers=len(self._children) - supervisors,
        )


def _unset(event: trio.Event) -> trio.Event:
    return trio.Event() if event.is_set() else event
