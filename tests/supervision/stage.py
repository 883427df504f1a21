"""Children that misbehave on command, and what they did, in order: the double of every test of supervision."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from rustok_daemon.supervision.actor import Context
from rustok_daemon.supervision.errors import FatalExit, Ignore, Shutdown
from rustok_daemon.supervision.events import Event
from rustok_daemon.supervision.specs import Backoff, ChildSpec, State, SupervisorSpec
from rustok_daemon.supervision.supervisor import Supervisor
from rustok_daemon.supervision.tree import Outcome, Tree

PROMPT = Backoff(first=0.1, factor=1.0, jitter=0.0)
"""Every restart after exactly 0.1 s."""
NEVER = 1e9
"""A pulse that does not come."""


class Broken(Exception):
    """What a child fails with when it is told to."""


class Puppet:
    """One incarnation. ``start_as`` and ``stop_as`` of the stage say how it starts and stops; ``do`` what it does in between."""

    def __init__(self, stage: Stage, id: str) -> None:
        self.id = id
        self.context: Context
        self._stage = stage
        self._told = trio.Event()
        self._action = ""
        self.number = stage.count(id)

    @property
    def abandoned(self) -> bool:
        return self.context.fence.raised

    def do(self, action: str) -> None:
        """``fail``, ``end``, ``shutdown``, ``fatal`` or ``leak``."""
        self._action = action
        self._told.set()

    async def run(self, context: Context) -> None:
        self.context = context
        self._stage.began(self)
        try:
            await self._start()
            self._stage.log.append(f"ready {self.id}")
            context.ready()
            await self._told.wait()
            await self._act()
        except trio.Cancelled:
            await self._stop()
            raise
        finally:
            self._stage.left(self)

    async def _start(self) -> None:
        how = self._stage.start_as.get(self.id, "well")
        if how == "fail" or self._stage.start_fails.take(self.id):
            raise Broken("cannot start")
        if how == "ignore":
            raise Ignore
        if how == "fatal":
            raise FatalExit(78, "wrong")
        if how == "hang":
            await trio.sleep_forever()
        if how == "end":
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise _Ends
        await trio.sleep(float(how)) if how != "well" else await trio.lowlevel.checkpoint()

    async def _act(self) -> None:
        if self._action == "fail":
            raise Broken("told to")
        if self._action == "shutdown":
            raise Shutdown("told to")
        if self._action == "fatal":
            raise FatalExit(9, "told to")
        if self._action == "leak":
            await leak_cancelled()

    async def _stop(self) -> None:
        """``well``, ``fail``, ``ignore``, or a number: takes so many seconds, shielded."""
        self._stage.log.append(f"stop {self.id}")
        how = self._stage.stop_as.get(self.id, "well")
        if how == "fail":
            raise Broken("while stopping")
        if how == "ignore":
            with trio.CancelScope(shield=True):
                await self._stage.released.wait()
        elif how != "well":
            with trio.CancelScope(shield=True):
                await trio.sleep(float(how))


class Countdown:
    """How many of the next starts of each child fail."""

    def __init__(self) -> None:
        self._left: Counter[str] = Counter()

    def set(self, id: str, count: int) -> None:
        self._left[id] = count

    def take(self, id: str) -> bool:
        if not self._left[id]:
            return False
        self._left[id] -= 1
        return True


class _Ends(BaseException):
    """Leaves ``run`` early."""


async def leak_cancelled() -> None:
    """Raises a ``Cancelled`` of a scope that is over."""
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            leaked = error
    raise leaked


class Stage:
    """Makes specifications of puppets and remembers what they did."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.events: list[Event] = []
        self.start_as: dict[str, str] = {}
        self.stop_as: dict[str, str] = {}
        self.start_fails = Countdown()
        self.released = trio.Event()
        self.alive: dict[str, list[Puppet]] = {}
        self._latest: dict[str, Puppet] = {}
        self._counts: dict[str, int] = {}
        self.tree: Tree

    def child(self, id: str, **keys: Any) -> ChildSpec:
        return ChildSpec(id=id, start=lambda: self._make(id), **{"backoff": PROMPT, **keys})

    def children(self, *ids: str, **keys: Any) -> tuple[ChildSpec, ...]:
        return tuple(self.child(id, **keys) for id in ids)

    def _make(self, id: str) -> _Runs:
        return _Runs(Puppet(self, id))

    def count(self, id: str) -> int:
        """How often it was made before."""
        number = self._counts.get(id, 0)
        self._counts[id] = number + 1
        return number

    def __getitem__(self, id: str) -> Puppet:
        return self._latest[id]

    def began(self, puppet: Puppet) -> None:
        self.log.append(f"start {puppet.id}")
        self._latest[puppet.id] = puppet
        self.alive.setdefault(puppet.id, []).append(puppet)

    def left(self, puppet: Puppet) -> None:
        """What an abandoned one does later is not told."""
        if not puppet.abandoned:
            self.log.append(f"end {puppet.id}")
        self.alive[puppet.id].remove(puppet)

    def puppets(self) -> list[Puppet]:
        """All that live, the abandoned ones too."""
        return [puppet for puppets in self.alive.values() for puppet in puppets]

    def living(self) -> set[str]:
        """Who lives and is not abandoned."""
        return {puppet.id for puppet in self.puppets() if not puppet.abandoned}

    def numbers(self, *ids: str) -> list[int]:
        """Which incarnation each is in: what a pid is to Erlang."""
        return [self[id].number for id in ids]

    def cleared(self) -> list[str]:
        """The log so far, which begins anew."""
        log, self.log = self.log, []
        return log

    async def do(self, id: str, action: str, wait: float = 0.0) -> None:
        """Tells the latest incarnation, and waits until all is quiet, and then ``wait`` seconds more."""
        self[id].do(action)
        await settle(wait)

    def named(self, name: str) -> list[Any]:
        """Events of this name."""
        return [event for event in self.events if event.name == name]

    def state(self, id: str) -> State:
        return self.tree.registry.places[id].state

    def supervisor(self, id: str) -> Supervisor:
        """The supervisor that has this child."""
        return self.tree.supervisor_of(id)

    @asynccontextmanager
    async def running(
        self, spec: SupervisorSpec, *, resources: Mapping[type[Any], object] | None = None, pulse: float = NEVER
    ) -> AsyncIterator[Tree]:
        """Runs the tree; at the end of the block it is stopped and those that ignore it are let go."""
        self.tree = Tree(spec, resources=resources, on_event=self.events.append, seed=1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: self.tree.run(pulse=pulse))
            await settle()
            try:
                yield self.tree
            finally:
                self.tree.request_stop(math.inf)
                with trio.CancelScope(shield=True):
                    await self.tree.finished.wait()
                self.released.set()

    async def outcome(self) -> Outcome:
        """How it ended; waits for it."""
        with trio.fail_after(10_000):
            await self.tree.finished.wait()
        assert self.tree.outcome is not None
        return self.tree.outcome


class _Runs:
    """A puppet as a ``Runnable``; it may leave early, without an error."""

    def __init__(self, puppet: Puppet) -> None:
        self._puppet = puppet

    async def run(self, context: Context) -> None:
        try:
            await self._puppet.run(context)
        except _Ends:
            return


async def settle(wait: float = 0.0) -> None:
    """Until nothing happens any more by itself; then ``wait`` seconds later again."""
    await wait_all_tasks_blocked()
    if wait:
        await trio.sleep(wait)
        await wait_all_tasks_blocked()
