"""What the resolver's view promises, each promise under a virtual clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.identities import Identity
from actors.messages import Resolution, Source, TenantUnavailable, Verdict
from actors.tenant_resolver.directory import Directory
from actors.tenant_resolver.metrics import ResolverMetrics
from rustok_daemon.breaker import State
from rustok_daemon.postgres.errors import UnreadableValue
from tests.tenant_resolver.source import DOWN, make, tenant
from tests.tenant_resolver.source import Source as Rows

SLUG, HOST = Identity("slug", "demo"), Identity("host", "demo.localhost")
UUID = Identity("uuid", "00000000-0000-0000-0000-000000000001")
NOBODY = Identity("slug", "nobody")
TTL, NEGATIVE_TTL, STALE, SOFT, LOAD_TIMEOUT = 300.0, 60.0, 3600.0, 0.25, 10.0


@pytest.fixture
def metrics() -> ResolverMetrics:
    return ResolverMetrics()


@pytest.fixture
def rows() -> Rows:
    return Rows(tenant())


@pytest.fixture
async def directory(rows: Rows, metrics: ResolverMetrics, nursery: trio.Nursery) -> Directory:
    made = make(rows, metrics=metrics)
    nursery.start_soon(made.run)
    return made


class Callers:
    """Many who ask at once, and what each was told."""

    def __init__(self, ask: Callable[[], Awaitable[Resolution]], count: int) -> None:
        self.answers: list[Resolution] = []
        self.errors: list[TenantUnavailable] = []
        self.scopes: list[trio.CancelScope] = []
        self._ask = ask
        self._count = count

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(self._count):
                nursery.start_soon(self._one)

    async def _one(self) -> None:
        with trio.CancelScope() as scope:
            self.scopes.append(scope)
            try:
                self.answers.append(await self._ask())
            except TenantUnavailable as error:
                self.errors.append(error)


@pytest.fixture
async def crowd(
    directory: Directory, nursery: trio.Nursery
) -> AsyncIterator[Callable[[Identity, int], Awaitable[Callers]]]:
    """Starts callers of one identity, and returns once all of them wait."""

    async def start(identity: Identity, count: int) -> Callers:
        callers = Callers(lambda: directory.resolve(identity), count)
        nursery.start_soon(callers.run)
        await wait_all_tasks_blocked()
        return callers

    yield start
    await wait_all_tasks_blocked()
    assert directory.sizes().flights == 0, "a flight was left"


# -- one load for all ------------------------------------------------------------------------------------------------


async def test_d02_d03_ten_thousand_callers_of_a_cold_tenant_cost_one_load(mock_clock, rows, metrics, crowd) -> None:
    rows.hold()
    callers = await crowd(SLUG, 10_000)
    rows.release()
    await wait_all_tasks_blocked()
    assert rows.total == 1
    assert {answer.tenant.slug for answer in callers.answers} == {"demo"}
    assert Counter(answer.source for answer in callers.answers) == {Source.MISS: 1, Source.COALESCED: 9_999}
    assert (metrics.misses, metrics.coalesced, len(callers.answers)) == (10_000, 9_999, 10_000)


async def test_d04_ten_thousand_callers_of_an_unknown_tenant_cost_one_load_and_one_insert(
    mock_clock, rows, metrics, crowd
) -> None:
    rows.hold()
    callers = await crowd(NOBODY, 10_000)
    rows.release()
    await wait_all_tasks_blocked()
    assert rows.total == 1
    assert {answer.verdict for answer in callers.answers} == {Verdict.UNKNOWN}
    assert metrics.negative_inserts == 1


async def test_d04_an_error_goes_to_all_and_the_next_caller_tries_again(mock_clock, rows, directory, crowd) -> None:
    rows.hold()
    rows.error = DOWN
    callers = await crowd(SLUG, 10_000)
    rows.release()
    await wait_all_tasks_blocked()
    assert rows.total == 1
    assert len(callers.errors) == 10_000
    rows.error = None
    assert (await directory.resolve(SLUG)).source is Source.MISS


async def test_d01_the_caller_who_caused_the_load_leaves_and_the_others_get_the_answer(mock_clock, rows, crowd) -> None:
    rows.hold()
    callers = await crowd(SLUG, 100)
    callers.scopes[0].cancel()
    await wait_all_tasks_blocked()
    rows.release()
    await wait_all_tasks_blocked()
    assert rows.total == 1
    assert len(callers.answers) == 99


async def test_d01_all_callers_leave_and_the_answer_is_kept(mock_clock, rows, directory, crowd) -> None:
    rows.hold()
    callers = await crowd(SLUG, 10)
    for scope in callers.scopes:
        scope.cancel()
    await wait_all_tasks_blocked()
    rows.release()
    await wait_all_tasks_blocked()
    assert directory.peek(SLUG).source is Source.HIT


async def test_a_load_fills_all_names_of_the_tenant(mock_clock, rows, directory) -> None:
    await directory.resolve(SLUG)
    for name in (SLUG, HOST, UUID):
        assert (await directory.resolve(name)).source is Source.HIT
    assert rows.total == 1
    assert directory.sizes().entries == 3


async def test_d21_distinct_cold_names_are_bounded(mock_clock, rows, metrics, nursery) -> None:
    directory = make(rows, max_flights=3, metrics=metrics)
    nursery.start_soon(directory.run)
    rows.hold()
    for n in range(3):
        nursery.start_soon(directory.resolve, Identity("slug", f"cold-{n}"))
    await wait_all_tasks_blocked()
    with pytest.raises(TenantUnavailable, match="3 tenants are being loaded already"):
        await directory.resolve(Identity("slug", "one-more"))
    joined = Callers(lambda: directory.resolve(Identity("slug", "cold-1")), 5)
    nursery.start_soon(joined.run)
    await wait_all_tasks_blocked()
    rows.release()
    await wait_all_tasks_blocked()
    assert len(joined.answers) == 5, "the same name is not one more"


async def test_d16_what_cannot_be_kept_is_answered_all_the_same(mock_clock, rows, nursery) -> None:
    directory = make(rows, capacity=2, negative_capacity=1)
    nursery.start_soon(directory.run)
    for _ in range(2):
        assert (await directory.resolve(SLUG)).source is Source.MISS
    assert directory.sizes().entries == 0


async def test_tens_of_thousands_of_unknown_hosts_take_bounded_room(mock_clock, rows, directory) -> None:
    for n in range(30_000):
        await directory.resolve(Identity("host", f"h{n}.example"))
    sizes = directory.sizes()
    assert (sizes.negative_entries, sizes.entries) == (100, 0)
    assert sizes.negative_evictions == 29_900


# -- age -------------------------------------------------------------------------------------------------------------


async def test_d19_what_is_expired_is_read_again_and_a_ttl_is_only_ever_shortened(mock_clock, rows, directory) -> None:
    await directory.resolve(SLUG)
    mock_clock.jump(TTL * 0.9 - 1)
    assert directory.peek(SLUG) is not None
    mock_clock.jump(TTL * 0.1 + 1)
    assert directory.peek(SLUG) is None
    assert (await directory.resolve(SLUG)).source is Source.MISS


async def test_an_expired_tenant_serves_while_the_database_is_down(mock_clock, rows, directory, metrics) -> None:
    await directory.resolve(SLUG)
    mock_clock.jump(TTL)
    rows.error = DOWN
    answer = await directory.resolve(SLUG)
    assert (answer.source, answer.tenant.slug) == (Source.STALE, "demo")
    mock_clock.jump(STALE)
    with pytest.raises(TenantUnavailable):
        await directory.resolve(SLUG)
    assert (metrics.hits, metrics.misses) == (1, 2)


async def test_an_expired_tenant_serves_when_its_reload_is_slow_and_at_once_when_it_was_slow_before(
    autojump_clock: MockClock, rows, directory
) -> None:
    await directory.resolve(SLUG)
    await trio.sleep(TTL)
    rows.hold()
    began = trio.current_time()
    assert (await directory.resolve(SLUG)).source is Source.STALE
    assert trio.current_time() - began == pytest.approx(SOFT)
    assert (await directory.resolve(SLUG)).source is Source.STALE
    assert trio.current_time() - began == pytest.approx(SOFT)
    assert rows.reads[SLUG] == 2


async def test_a_cold_one_waits_no_longer_than_the_load_timeout(autojump_clock: MockClock, rows, directory) -> None:
    rows.hold()
    began = trio.current_time()
    with pytest.raises(TenantUnavailable, match="in time"):
        await directory.resolve(SLUG)
    assert trio.current_time() - began == pytest.approx(LOAD_TIMEOUT)
    await trio.lowlevel.checkpoint()
    assert directory.sizes().flights == 0


async def test_a_cold_one_is_refused_at_once_while_the_breaker_is_open(mock_clock, rows, directory) -> None:
    rows.error = DOWN
    for n in range(5):
        with pytest.raises(TenantUnavailable, match="not available"):
            await directory.resolve(Identity("slug", f"cold-{n}"))
    with pytest.raises(TenantUnavailable) as refused:
        await directory.resolve(SLUG)
    assert rows.total == 5
    assert refused.value.retry_after == 30
    mock_clock.jump(30)
    rows.error = None
    assert (await directory.resolve(SLUG)).source is Source.MISS


async def test_a_row_that_cannot_be_read_says_nothing_against_the_database(rows: Rows, directory: Directory) -> None:
    """Who asked for one tenant again and again would have shut the database for all."""
    rows.error = UnreadableValue("a value in the database cannot be read")
    for _ in range(10):
        with pytest.raises(TenantUnavailable, match="of this tenant cannot be read"):
            await directory.resolve(SLUG)
    assert directory._breaker.state is State.CLOSED


async def test_an_open_breaker_closes_by_itself_when_the_database_is_back(
    autojump_clock: MockClock, rows, directory, nursery
) -> None:
    nursery.start_soon(directory.recover, UUID)
    await directory.resolve(SLUG)
    rows.error = DOWN
    for n in range(5):
        with pytest.raises(TenantUnavailable):
            await directory.resolve(Identity("slug", f"cold-{n}"))
    figures = directory._breaker._metrics
    assert figures.rejected == 0, "nobody has asked"
    await trio.sleep(100)
    assert figures.rejected == 0, "its own looks are no calls that were refused"
    rows.error = None
    await trio.sleep(32)
    assert directory._breaker.state is State.CLOSED
    reads = rows.total
    await trio.sleep(100)
    assert rows.total == reads, "a closed one is not probed"


async def test_d04_unknown_is_cached_for_its_ttl_and_never_stale(mock_clock, rows, directory, metrics) -> None:
    await directory.resolve(NOBODY)
    assert (await directory.resolve(NOBODY)).source is Source.NEGATIVE
    mock_clock.jump(NEGATIVE_TTL)
    rows.error = DOWN
    with pytest.raises(TenantUnavailable):
        await directory.resolve(NOBODY)
    assert (metrics.negative_hits, metrics.negative_misses) == (1, 2)


async def test_d12_an_inactive_tenant_is_not_served_under_any_name_and_never_stale(mock_clock, rows, directory) -> None:
    rows.put(tenant(active=False))
    assert (await directory.resolve(SLUG)).verdict is Verdict.INACTIVE
    for name in (SLUG, HOST, UUID):
        answer = await directory.resolve(name)
        assert (answer.verdict, answer.source, answer.tenant) == (Verdict.INACTIVE, Source.NEGATIVE, None)
    mock_clock.jump(NEGATIVE_TTL)
    rows.error = DOWN
    with pytest.raises(TenantUnavailable):
        await directory.resolve(HOST)


async def test_a_tenant_switched_off_is_not_served_stale_once_that_was_read(mock_clock, rows, directory) -> None:
    await directory.resolve(SLUG)
    mock_clock.jump(TTL)
    rows.put(tenant(active=False))
    assert (await directory.resolve(SLUG)).verdict is Verdict.INACTIVE
    mock_clock.jump(NEGATIVE_TTL)
    rows.error = DOWN
    with pytest.raises(TenantUnavailable):
        await directory.resolve(HOST)


# -- invalidation ----------------------------------------------------------------------------------------------------


async def test_d15_invalidating_one_name_forgets_all_of_the_tenant(mock_clock, rows, directory) -> None:
    await directory.resolve(SLUG)
    directory.invalidate([HOST])
    assert [directory.peek(name) for name in (SLUG, HOST, UUID)] == [None] * 3


async def test_d29_a_tenant_made_within_the_negative_ttl_is_found_once_it_was_named(
    mock_clock, rows, directory
) -> None:
    await directory.resolve(NOBODY)
    rows.put(tenant(2, "nobody", None))
    directory.invalidate([NOBODY])
    assert (await directory.resolve(NOBODY)).verdict is Verdict.ACTIVE


@pytest.mark.parametrize("named", [(SLUG,), (HOST,), (NOBODY,), None], ids=["it", "an alias", "another", "everything"])
async def test_d07_a_load_overtaken_by_an_invalidation_answers_who_waited_and_is_neither_kept_nor_joined(
    mock_clock, rows, directory, crowd, named
) -> None:
    rows.hold()
    before = await crowd(SLUG, 3)
    rows.put(tenant(slug="demo", domain="new.localhost"))
    directory.invalidate(named)
    after = await crowd(SLUG, 3)
    assert rows.total == 2
    rows.release()
    await wait_all_tasks_blocked()
    assert {answer.tenant.domain for answer in before.answers} == {"demo.localhost"}
    assert {answer.tenant.domain for answer in after.answers} == {"new.localhost"}
    assert directory.peek(SLUG).tenant.domain == "new.localhost"
    assert directory.peek(HOST) is None


async def test_d07_an_absence_overtaken_by_an_invalidation_is_not_kept(mock_clock, rows, directory, crowd) -> None:
    rows.hold()
    before = await crowd(NOBODY, 1)
    rows.put(tenant(2, "nobody", None))
    directory.invalidate([NOBODY])
    rows.release()
    await wait_all_tasks_blocked()
    assert before.answers[0].verdict is Verdict.UNKNOWN
    assert (await directory.resolve(NOBODY)).verdict is Verdict.ACTIVE


async def test_after_a_gap_tenants_are_read_again_and_serve_as_stale_meanwhile(mock_clock, rows, directory) -> None:
    await directory.resolve(SLUG)
    directory.gap()
    rows.error = DOWN
    assert (await directory.resolve(SLUG)).source is Source.STALE
    rows.error = None
    assert (await directory.resolve(SLUG)).source is Source.MISS
    assert (await directory.resolve(SLUG)).source is Source.HIT


async def test_a_gap_forgets_absences_and_a_load_that_began_before_it(mock_clock, rows, directory, crowd) -> None:
    await directory.resolve(NOBODY)
    rows.hold()
    await crowd(SLUG, 1)
    directory.gap()
    rows.release()
    await wait_all_tasks_blocked()
    assert directory.peek(NOBODY) is None
    assert directory.peek(SLUG) is None


async def test_what_was_named_is_not_served_stale(mock_clock, rows, directory) -> None:
    await directory.resolve(SLUG)
    directory.gap()
    directory.invalidate([HOST])
    rows.error = DOWN
    with pytest.raises(TenantUnavailable):
        await directory.resolve(SLUG)


async def test_named_while_a_caller_waits_for_a_slow_reload_it_is_not_served_stale(
    autojump_clock: MockClock, rows, directory, nursery
) -> None:
    await directory.resolve(SLUG)
    await trio.sleep(TTL)
    rows.hold()
    callers = Callers(lambda: directory.resolve(SLUG), 1)
    nursery.start_soon(callers.run)
    await trio.sleep(SOFT / 2)
    directory.invalidate([UUID])
    await trio.sleep(SOFT)
    assert callers.answers == []
    rows.release()
    await trio.sleep(0.001)
    assert [answer.source for answer in callers.answers] == [Source.MISS]


# -- the end ---------------------------------------------------------------------------------------------------------


async def test_d01_a_resolver_that_stops_tells_those_who_wait(mock_clock, rows) -> None:
    directory = make(rows)
    rows.hold()
    async with trio.open_nursery() as nursery:
        running = await nursery.start(_in_a_scope, directory)
        callers = Callers(lambda: directory.resolve(SLUG), 10)
        nursery.start_soon(callers.run)
        await wait_all_tasks_blocked()
        running.cancel()
    assert {error.reason for error in callers.errors} == {"the resolver is being restarted"}
    with pytest.raises(TenantUnavailable, match="restarted"):
        await directory.resolve(HOST)


async def _in_a_scope(directory: Directory, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
    with trio.CancelScope() as scope:
        task_status.started(scope)
        await directory.run()


async def test_a_load_asked_for_before_the_resolver_runs_is_done_when_it_does(mock_clock, rows, nursery) -> None:
    directory = make(rows)
    callers = Callers(lambda: directory.resolve(SLUG), 2)
    nursery.start_soon(callers.run)
    await wait_all_tasks_blocked()
    nursery.start_soon(directory.run)
    await wait_all_tasks_blocked()
    assert len(callers.answers) == 2


async def test_d17_every_request_is_counted_once(mock_clock, rows, directory, metrics) -> None:
    await directory.resolve(SLUG)
    for _ in range(3):
        await directory.resolve(HOST)
    await directory.resolve(NOBODY)
    await directory.resolve(NOBODY)
    assert metrics.hits + metrics.misses + metrics.negative_hits == 6
    assert (metrics.hits, metrics.misses, metrics.negative_hits, metrics.coalesced) == (3, 2, 1, 0)


async def test_who_asks_while_it_is_being_stopped_is_told_so_at_every_step(rows: Rows) -> None:
    """Between the end of the last load and the end of ``run`` a new one could not be begun: 500 instead of 503."""
    directory = make(rows)
    told: list[Resolution | TenantUnavailable] = []

    async def ask(number: int) -> None:
        try:
            told.append(await directory.resolve(Identity("slug", f"late-{number}")))
        except TenantUnavailable as error:
            told.append(error)

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as life:
            async with trio.open_nursery() as living:
                living.start_soon(directory.run)
                await wait_all_tasks_blocked()
                rows.hold()
                nursery.start_soon(ask, -1)
                await wait_all_tasks_blocked()
                nursery.start_soon(_at_every_step, lambda n: nursery.start_soon(ask, n))
                await trio.lowlevel.checkpoint()
                life.cancel()
    assert len(told) == 21
    assert {str(each) for each in told} == {"the resolver is being restarted"}
    assert directory.sizes().flights == 0


async def _at_every_step(act: Callable[[int], None]) -> None:
    for number in range(20):
        act(number)
        await trio.lowlevel.checkpoint()
