"""The resolver's view against a model: random changes, invalidations, gaps, failures, expiry and cancellation.

The model knows every state the database was in. An answer is right when its identity had that value at some time since
the last change that was acknowledged before the request came. Three planted mutants show that the model can tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.identities import Identity, identities_of
from actors.messages import Resolution, Source, Tenant, TenantUnavailable, Verdict
from actors.tenant_resolver import directory as module
from actors.tenant_resolver.directory import Directory
from actors.tenant_resolver.flights import Flight, Flights
from actors.tenant_resolver.metrics import ResolverMetrics
from actors.tenant_resolver.settings import BreakerSettings, CacheSettings, TenantSettings
from rustok_daemon.breaker import BreakerMetrics, CircuitBreaker
from tests.tenant_resolver.source import DOWN

SLUGS = ("a", "b")
HOSTS = ("a.example", "b.example")
IDENTITIES = (
    *(Identity("uuid", str(UUID(int=n))) for n in (1, 2)),
    *(Identity("slug", slug) for slug in SLUGS),
    *(Identity("host", host) for host in HOSTS),
)
ASKED = (4, 4, 4, 2, 2, 0, 5, 3, 1)
"""Which identities are asked for, by index: most often the same, so that requests meet."""
CHANGES = (
    *((1, "a", host, True) for host in ("a.example", "b.example", "a.example", "b.example", None)),
    (1, "a", "a.example", False),
    (1, "b", "a.example", True),
    (1, None, None, True),
    (2, "b", "b.example", True),
    (2, "b", "a.example", True),
    (2, None, None, True),
)
ABSENT = None
Value = tuple[bool, str] | None
"""Active or not, and the name, which is new with every change; ``ABSENT``."""


class Database:
    """Two rows that change, and all they ever were under each identity."""

    def __init__(self) -> None:
        self.now = 0
        self.rows: dict[int, Tenant] = {}
        self.history: dict[Identity, list[tuple[int, Value]]] = {name: [(0, ABSENT)] for name in IDENTITIES}

    def change(self, number: int, slug: str | None, host: str | None, active: bool) -> set[Identity]:
        """Puts a row, or takes it away with ``slug`` ``None``; the names before and after. Unique columns hold."""
        others = [row for key, row in self.rows.items() if key != number]
        if any(row.slug == slug or (host is not None and row.domain == host) for row in others):
            return set()
        self.now += 1
        names = self._names(number)
        self.rows.pop(number, None)
        if slug is not None:
            self.rows[number] = Tenant(
                id=UUID(int=number),
                name=f"v{self.now}",
                slug=slug,
                domain=host,
                settings=msgspec.Raw(b"{}"),
                is_active=active,
                default_locale="en",
            )
        names |= self._names(number)
        for name in names:
            self.history[name].append((self.now, value_of(self.read(name))))
        return names

    def _names(self, number: int) -> set[Identity]:
        row = self.rows.get(number)
        return set() if row is None else set(identities_of(row.id, row.slug, row.domain))

    def read(self, name: Identity) -> Tenant | None:
        for row in self.rows.values():
            if name in identities_of(row.id, row.slug, row.domain):
                return row
        return None

    def values_since(self, name: Identity, floor: int) -> list[Value]:
        """What it was at any time from ``floor`` on."""
        entries = self.history[name]
        first = max(index for index, (at, _) in enumerate(entries) if at <= floor)
        return [value for _, value in entries[first:]]


def value_of(tenant: Tenant | None) -> Value:
    return ABSENT if tenant is None else (tenant.is_active, tenant.name)


class Load:
    """One read of the database, in the two steps in which it can be overtaken."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.read = trio.Event()
        self.finish = trio.Event()
        self.error: Exception | None = None


class Caller:
    """One who asks, and what was acknowledged before."""

    def __init__(self, identity: Identity, named: int, gapped: int) -> None:
        self.identity = identity
        self.named = named
        self.gapped = gapped
        self.scope = trio.CancelScope()
        self.done = False


class World:
    """The directory, its database, and the model's view of both."""

    def __init__(self) -> None:
        self.database = Database()
        self.loads: list[Load] = []
        self.callers: list[Caller] = []
        self.unacknowledged: set[Identity] = set()
        self.named: defaultdict[Identity, int] = defaultdict(int)
        self.gapped = 0
        self.failing = False
        cache = CacheSettings(capacity=5, negative_capacity=3)
        rules = TenantSettings(cache=cache, breaker=BreakerSettings(failures=10_000), max_flights=8)
        breaker = CircuitBreaker(failures=10_000, successes=1, open_for=1, probes=1, metrics=BreakerMetrics())
        self.directory = Directory(self.load, rules, breaker, ResolverMetrics())

    async def load(self, identity: Identity) -> Tenant | None:
        load = Load(identity)
        self.loads.append(load)
        try:
            await load.read.wait()
            found = self.database.read(identity)
            await load.finish.wait()
            if load.error is not None:
                raise load.error
            return found
        finally:
            self.loads.remove(load)

    async def ask(self, caller: Caller) -> None:
        with caller.scope:
            try:
                answer = await self.directory.resolve(caller.identity)
            except TenantUnavailable:
                caller.done = True
                return
            caller.done = True
            self.judge(caller, answer)

    def judge(self, caller: Caller, answer: Resolution) -> None:
        given_value = _given(answer)
        floor = caller.named if answer.source is Source.STALE else max(caller.named, caller.gapped)
        right = self.database.values_since(caller.identity, floor)
        assert any(_same(given_value, value) for value in right), (
            f"{caller.identity} was answered {answer.source.value} {given_value}, right were {right}"
        )
        if answer.source is Source.STALE:
            assert answer.verdict is Verdict.ACTIVE, "an absence is never stale"

    # -- steps ---------------------------------------------------------------------------------------------------

    def step(self, nursery: trio.Nursery, clock: MockClock, word: str, number: int, flag: bool) -> None:
        match word:
            case "ask":
                name = IDENTITIES[ASKED[number % len(ASKED)]]
                caller = Caller(name, self.named[name], self.gapped)
                self.callers.append(caller)
                nursery.start_soon(self.ask, caller)
            case "leave" if self.callers:
                self.callers[number % len(self.callers)].scope.cancel()
            case "change":
                self.unacknowledged |= self.database.change(*CHANGES[number % len(CHANGES)])
            case "acknowledge":
                self._acknowledge(None if number % 5 == 0 else self.unacknowledged)
            case "gap":
                self.gapped = self.database.now
                self.directory.gap()
            case "read" if self.loads:
                self.loads[number % len(self.loads)].read.set()
            case "finish" if self.loads:
                self._finish(self.loads[number % len(self.loads)], failing=not flag and number % 3 == 0)
            case "time":
                clock.jump((0.2, 1, 11, 55, 280, 4000)[number % 6])

    def _acknowledge(self, names: set[Identity] | None) -> None:
        self.directory.invalidate(names)
        for name in IDENTITIES if names is None else names:
            self.named[name] = self.database.now
        self.unacknowledged = set()

    def _finish(self, load: Load, failing: bool) -> None:
        load.error = DOWN if failing else None
        load.read.set()
        load.finish.set()

    def check(self) -> None:
        sizes = self.directory.sizes()
        assert sizes.entries <= 5
        assert sizes.negative_entries <= 3
        assert sizes.flights <= 8
        assert sizes.flights == len(self.loads)


def _given(answer: Resolution) -> Value | bool:
    match answer.verdict:
        case Verdict.UNKNOWN:
            return ABSENT
        case Verdict.INACTIVE:
            return False
        case Verdict.ACTIVE:
            assert answer.tenant is not None
            return (True, answer.tenant.name)


def _same(given_value: Value | bool, value: Value) -> bool:
    """An inactive tenant is answered without its name."""
    if given_value is False:
        return value is not None and not value[0]
    return given_value == value


Step = tuple[str, int, bool]
WORDS = (
    "ask",
    "ask",
    "ask",
    "leave",
    "change",
    "change",
    "acknowledge",
    "gap",
    "gap",
    "read",
    "finish",
    "finish",
    "time",
)
steps = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 35), st.booleans()), min_size=15, max_size=80)


async def drive(program: list[Step]) -> None:
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, MockClock)
    world = World()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.directory.run)
        for word, number, flag in program:
            world.step(nursery, clock, word, number, flag)
            await wait_all_tasks_blocked()
            world.check()
        while world.loads:
            world._finish(world.loads[0], failing=False)
            await wait_all_tasks_blocked()
        waiting = [caller for caller in world.callers if not caller.done and not caller.scope.cancel_called]
        assert waiting == [], "somebody waits for ever"
        assert world.directory.sizes().flights == 0
        nursery.cancel_scope.cancel()


def run(program: list[Step]) -> None:
    try:
        trio.run(drive, program, clock=MockClock())
    except BaseExceptionGroup as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_no_answer_is_older_than_what_was_acknowledged(program: list[Step]) -> None:
    run(program)


# -- mutants ---------------------------------------------------------------------------------------------------------


def store_without_generation_check(patch: pytest.MonkeyPatch) -> None:
    """Defect 7."""

    def store(self: Directory, flight: Flight, tenant: Tenant | None) -> None:
        flight.generation = self._generation
        honest(self, flight, tenant)

    honest = Directory._store
    patch.setattr(Directory, "_store", store)


def join_a_flight_begun_before_the_invalidation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Flights, "close_all", lambda self: None)


def no_bump_on_a_gap(patch: pytest.MonkeyPatch) -> None:
    def gap(self: Directory) -> None:
        self._epoch += 1
        self._negative.clear()

    patch.setattr(Directory, "gap", gap)


@pytest.mark.parametrize(
    "plant", [store_without_generation_check, join_a_flight_begun_before_the_invalidation, no_bump_on_a_gap]
)
def test_the_model_kills(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)

    @seed(1)
    @settings(
        max_examples=3000,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(steps)
    def attempt(program: list[Step]) -> None:
        run(program)

    with pytest.raises(AssertionError, match="was answered"):
        attempt()


def test_the_mutants_mutate_what_is_there() -> None:
    assert module.Directory is Directory
    for name in ("_store", "gap"):
        assert name in vars(Directory)
    assert "close_all" in vars(Flights)
