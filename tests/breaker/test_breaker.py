"""The circuit breaker's promises, each under a virtual clock."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from trio.testing import MockClock

from rustok_daemon.breaker import BreakerMetrics, CircuitBreaker, CircuitOpen, State

OPEN_FOR = 30.0


def make(*, failures: int = 3, successes: int = 2, probes: int = 3) -> CircuitBreaker:
    return CircuitBreaker(
        failures=failures, successes=successes, open_for=OPEN_FOR, probes=probes, metrics=BreakerMetrics()
    )


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(OSError, match="down"), breaker.admit():
            raise OSError("down")


def succeed(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with breaker.admit():
            pass


async def test_opens_exactly_at_the_threshold_and_says_for_how_long(mock_clock: MockClock) -> None:
    breaker = make()
    fail(breaker, 2)
    assert breaker.state is State.CLOSED
    fail(breaker)
    mock_clock.jump(10)
    with pytest.raises(CircuitOpen) as refused:
        breaker.admit()
    assert refused.value.retry_after == OPEN_FOR - 10


async def test_only_failures_in_a_row_count(mock_clock: MockClock) -> None:
    breaker = make()
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)
    assert breaker.state is State.CLOSED


async def test_probes_close_it(mock_clock: MockClock) -> None:
    breaker = make()
    fail(breaker, 3)
    mock_clock.jump(OPEN_FOR)
    succeed(breaker)
    assert breaker.state is State.HALF_OPEN
    succeed(breaker)
    assert breaker.state is State.CLOSED


async def test_one_failed_probe_opens_it_for_the_whole_time(mock_clock: MockClock) -> None:
    breaker = make()
    fail(breaker, 3)
    mock_clock.jump(OPEN_FOR)
    fail(breaker)
    mock_clock.jump(OPEN_FOR - 1)
    with pytest.raises(CircuitOpen):
        breaker.admit()


async def test_d18_the_first_probe_counts_and_no_more_than_probes_are_under_way(mock_clock: MockClock) -> None:
    breaker = make(probes=3)
    fail(breaker, 3)
    mock_clock.jump(OPEN_FOR)
    permits = [breaker.admit() for _ in range(3)]
    with pytest.raises(CircuitOpen):
        breaker.admit()
    permits[0].release()
    breaker.admit()


async def test_d18_a_cancelled_probe_gives_its_slot_back(mock_clock: MockClock) -> None:
    breaker = make(probes=1)
    fail(breaker, 3)
    mock_clock.jump(OPEN_FOR)
    with trio.CancelScope() as scope:
        scope.cancel()
        with breaker.admit():
            await trio.sleep_forever()
    assert scope.cancelled_caught
    succeed(breaker, 2)
    assert breaker.state is State.CLOSED


async def test_d18_more_successes_than_probes_can_be_asked_for(mock_clock: MockClock) -> None:
    breaker = make(successes=10, probes=1)
    fail(breaker, 3)
    mock_clock.jump(OPEN_FOR)
    succeed(breaker, 10)
    assert breaker.state is State.CLOSED


async def test_d18_a_late_outcome_belongs_to_the_state_it_was_admitted_in(mock_clock: MockClock) -> None:
    breaker = make()
    late = breaker.admit()
    fail(breaker, 3)
    mock_clock.jump(OPEN_FOR)
    probe = breaker.admit()
    late.succeeded()
    assert breaker.state is State.HALF_OPEN
    probe.succeeded()
    assert breaker.state is State.HALF_OPEN, "the late success was not one of the two"


async def test_a_permit_settles_once(mock_clock: MockClock) -> None:
    breaker = make()
    for _ in range(3):
        with pytest.raises(LookupError), breaker.admit() as permit:
            permit.succeeded()
            raise LookupError
    assert breaker.state is State.CLOSED


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["admit", "good", "bad", "cancel", "wait"]), max_size=60))
def test_never_more_probes_than_allowed_and_never_stuck(steps: list[str]) -> None:
    async def drive() -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        breaker, permits = make(probes=2), []
        for step in steps:
            if step == "wait":
                clock.jump(OPEN_FOR / 2)
            elif step == "admit":
                try:
                    permits.append((breaker.admit(), breaker._epoch))
                except CircuitOpen:
                    continue
            elif permits:
                permit, _ = permits.pop(0)
                permit._settle({"good": True, "bad": False, "cancel": None}[step])
            if breaker.state is State.HALF_OPEN:
                assert sum(epoch == breaker._epoch for _, epoch in permits) <= 2
        for permit, _ in permits:
            permit.release()
        clock.jump(OPEN_FOR)
        succeed(breaker, 2)
        assert breaker.state is State.CLOSED

    trio.run(drive, clock=MockClock())


async def test_its_metrics_outlive_it_and_share_the_families(mock_clock: MockClock) -> None:
    registry = CollectorRegistry()
    first = BreakerMetrics.of(registry, "database")
    assert BreakerMetrics.of(registry, "database") is first
    BreakerMetrics.of(registry, "smtp")
    breaker = CircuitBreaker(failures=1, successes=1, open_for=1, probes=1, metrics=first)
    fail(breaker)
    with pytest.raises(CircuitOpen):
        breaker.admit()
    read = registry.get_sample_value
    assert read("rustok_circuit_breaker_state", {"service": "database"}) == 1
    assert read("rustok_circuit_breaker_state", {"service": "smtp"}) == 0
    assert read("rustok_circuit_breaker_calls_total", {"service": "database", "result": "rejected"}) == 1
    moved = {"service": "database", "from_state": "closed", "to_state": "open"}
    assert read("rustok_circuit_breaker_transitions_total", moved) == 1
    assert generate_latest(registry).count(b"# TYPE rustok_circuit_breaker_state") == 1
