"""The whole tree: one root nursery in which every child runs, the registry they find each other by, and its outcome."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import trio
from prometheus_client import CollectorRegistry

from rustok_daemon.declarations import Health

from .actor import CheckHealth
from .child import Child
from .context import LiveContext
from .errors import BadSpecification, FatalExit, GaveUp, NoSuchChild, Shutdown, SupervisionError
from .events import DeadLetter, Event
from .metrics import ActorCollector
from .place import Place
from .refs import IncarnationFence, LocalRef, Registry
from .snapshot import node_of
from .specs import ChildSpec, Kind, State, SupervisorSpec, walk
from .supervisor import Supervisor

PULSE = 5.0
_HEALTH_WITHIN = 2.0
_LOUD_LETTERS = 10
_SILENCE = 300.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the tree ended. ``error`` is ``None`` when it was asked to stop.

    ``abandoned`` names who ignored its end, ``cut`` whose teardown had to be cut off when all of it stopped.
    """

    error: SupervisionError | None
    abandoned: tuple[str, ...]
    cut: tuple[str, ...] = ()


class Tree:
    """A supervisor tree. ``resources`` are views the root lends, by type.

    ``run`` returns when every task is gone. ``finished`` is set earlier, when the outcome is known: an abandoned child
    never leaves, and then only the end of the process helps.
    """

    def __init__(
        self,
        spec: SupervisorSpec,
        *,
        resources: Mapping[type[Any], object] | None = None,
        registry: CollectorRegistry | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
        seed: int | None = None,
    ) -> None:
        _check_ids(spec)
        self.random = random.Random(seed)  # noqa: S311  (jitter, not a secret)
        self.registry = Registry()
        self.abandoned: list[str] = []
        self.cut: list[str] = []
        self.end_by = math.inf
        """By when all of it is to be stopped (trio's clock)."""
        self.started = trio.Event()
        self.finished = trio.Event()
        self.outcome: Outcome | None = None
        self.nursery: trio.Nursery
        self._metrics_registry = registry or CollectorRegistry()
        self._on_event = on_event
        self._metrics: dict[Callable[[CollectorRegistry], Any], Any] = {}
        self._stop_asked = False
        self._root_scope = trio.CancelScope()
        self._letters: dict[str, tuple[int, float]] = {}
        for kind, resource in (resources or {}).items():
            self.registry.lend(kind, resource)
        self._root_place = self.place(spec, "")
        self.root = Supervisor(spec, spec.id, self)
        self._metrics_registry.register(ActorCollector(self.registry))

    # -- running -------------------------------------------------------------------------------------------------

    async def run(self, *, pulse: float = PULSE) -> Outcome:
        """Runs the tree to its end."""
        async with trio.open_nursery() as nursery:
            self.nursery = nursery
            nursery.start_soon(self._pulse, pulse)
            nursery.start_soon(self.registry.deadlines.run)
            error = await self._run_root()
            self.outcome = Outcome(error=error, abandoned=tuple(self.abandoned), cut=tuple(self.cut))
            self.finished.set()
            nursery.cancel_scope.cancel()
        return self.outcome

    async def _run_root(self) -> SupervisionError | None:
        context = LiveContext(self._root_place, self.registry, self._root_ready)
        self._root_place.enter(State.STARTING)
        try:
            with self._root_scope:
                await self.root.run(context)
        except (GaveUp, FatalExit) as error:
            self._root_place.enter(State.FAILED)
            return error
        except Shutdown:
            pass
        self._root_place.enter(State.STOPPED)
        return None

    def _root_ready(self) -> None:
        self._root_place.enter(State.RUNNING)
        self.started.set()

    def request_stop(self, within: float) -> None:
        """Stops everything in reverse order of its start; what takes longer than ``within`` seconds is abandoned."""
        if not self._stop_asked:
            self._stop_asked = True
            self.end_by = trio.current_time() + within
            self.cut.clear()
            self._root_scope.cancel(reason="the daemon was asked to stop")

    # -- what supervisors need -----------------------------------------------------------------------------------

    def place(self, spec: ChildSpec | SupervisorSpec, parent_path: str) -> Place:
        """The lasting place of a child: the one it had before, if it had one, with the new specification."""
        path = f"{parent_path}/{spec.id}" if parent_path else spec.id
        known = self.registry.places.get(spec.id)
        if known is not None and known.path == path:
            known.respecify(spec)
            return known
        place = Place(spec, path, self._dead_letter, self._metrics_of(spec))
        self.registry.places[spec.id] = place
        return place

    def _metrics_of(self, spec: ChildSpec | SupervisorSpec) -> Any:
        """Made once for the life of the process, though children of the kind come and go, or there are several."""
        make = spec.make_metrics if isinstance(spec, ChildSpec) else None
        if make is None:
            return None
        if make not in self._metrics:
            self._metrics[make] = make(self._metrics_registry)
        return self._metrics[make]

    def forget(self, place: Place) -> None:
        """The child will not come back; its mailbox is closed."""
        if self.registry.places.get(place.id) is place:
            del self.registry.places[place.id]
            self._letters.pop(place.id, None)

    def emit(self, event: Event) -> None:
        self._on_event(event)

    def _dead_letter(self, place: Place, message: object, reason: str) -> None:
        """Counted always; logged ten times, then not for five minutes."""
        loud, since = self._letters.get(place.id, (0, 0.0))
        now = trio.current_time()
        if loud >= _LOUD_LETTERS and now - since < _SILENCE:
            return
        loud = 1 if loud >= _LOUD_LETTERS else loud + 1
        self._letters[place.id] = (loud, now)
        silenced = loud == _LOUD_LETTERS
        self.emit(DeadLetter(path=place.path, message=type(message).__name__, reason=reason, silenced=silenced))

    # -- the pulse -----------------------------------------------------------------------------------------------

    async def _pulse(self, period: float) -> None:
        """Asks every running actor for its health through its mailbox, so that a stuck one is seen, and samples rates."""
        fence = IncarnationFence("pulse")
        before: dict[str, tuple[int, float]] = {}
        while True:
            began = trio.current_time()
            async with trio.open_nursery() as nursery:
                for place in list(self.registry.places.values()):
                    if place.mailbox is not None and place.state is State.RUNNING:
                        nursery.start_soon(self._ask_health, place, LocalRef(place.id, self.registry, fence))
            await trio.sleep(max(0.0, began + period - trio.current_time()))
            self._sample(before, trio.current_time() - began)

    async def _ask_health(self, place: Place, ref: LocalRef) -> None:
        try:
            health = await ref.ask(CheckHealth(), within=_HEALTH_WITHIN)
        except SupervisionError as error:
            health = Health(status="degraded", reason=str(error))
        if place.state is State.RUNNING:
            place.health = health

    def _sample(self, before: dict[str, tuple[int, float]], seconds: float) -> None:
        known = dict(before)
        before.clear()
        for place in self.registry.places.values():
            count, busy = known.get(place.id, (0, 0.0))
            place.rate = (place.times.count - count) / seconds
            place.busy = min(1.0, (place.times.seconds - busy) / seconds)
            before[place.id] = (place.times.count, place.times.seconds)

    # -- TreeControl ---------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """The tree as plain data (contract.md, ``status --json``)."""
        return node_of(self._root_place, self.root)

    def supervisor_of(self, id: str) -> Supervisor:
        """Who supervises the child ``id``. Raises ``NoSuchChild``."""
        for supervisor in self.supervisors():
            if any(child.id == id for child in supervisor.children):
                return supervisor
        raise NoSuchChild(f"there is no child {id!r} in the tree")

    def supervisors(self) -> list[Supervisor]:
        """All that run, from the root down."""
        found = [self.root]
        for supervisor in found:
            found += [child.supervisor for child in supervisor.children if child.supervisor is not None]
        return found

    def child(self, id: str) -> Child:
        return self.supervisor_of(id).child(id)

    async def restart(self, id: str) -> None:
        await self.supervisor_of(id).bounce(id)

    async def stop(self, id: str) -> None:
        await self.supervisor_of(id).terminate_child(id)

    async def start(self, id: str) -> None:
        await self.supervisor_of(id).restart_child(id)

    def is_actor(self, id: str) -> bool:
        place = self.registry.places.get(id)
        return place is not None and place.kind is Kind.ACTOR


def _check_ids(spec: SupervisorSpec) -> None:
    """Children are found by id alone, wherever they are."""
    ids = Counter(each.id for each in walk(spec))
    twice = sorted(id for id, count in ids.items() if count > 1)
    if twice:
        raise BadSpecification(f"child {twice[0]!r}: id must be given once in the whole tree")
