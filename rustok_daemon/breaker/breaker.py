"""The state machine; RusToK's rules (facts on the tenant path, 4.5), with what was broken in them repaired (defect 18)."""

from __future__ import annotations

import enum
from types import TracebackType
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from .metrics import BreakerMetrics


class State(enum.IntEnum):
    """The values of ``rustok_circuit_breaker_state``."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


class CircuitOpen(Exception):
    """Not tried: it failed too often, or as many probes as may are under way. Try again in ``retry_after`` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the circuit breaker is open for {retry_after:.1f} s more")
        self.retry_after = retry_after


class CircuitBreaker:
    """Guards one dependency. ``failures`` in a row open it for ``open_for`` seconds; ``successes`` of probes close it.

    Half open, at most ``probes`` are under way at a time: a hung one does not lock the others out for ever, since its slot
    is its own and comes back when it ends, by whatever way.
    """

    def __init__(self, *, failures: int, successes: int, open_for: float, probes: int, metrics: BreakerMetrics) -> None:
        self._failures_allowed = failures
        self._successes_needed = successes
        self._open_for = open_for
        self._probes_allowed = probes
        self._metrics = metrics
        self._failures = 0
        self._successes = 0
        self._probes = 0
        self._opened_at = 0.0
        self._epoch = 0
        self.state = State.CLOSED
        metrics.state = State.CLOSED

    @property
    def would_admit(self) -> bool:
        """For who only looks: nothing is counted as refused."""
        if self.state is State.OPEN:
            return trio.current_time() >= self._opened_at + self._open_for
        return self.state is State.CLOSED or self._probes < self._probes_allowed

    def admit(self) -> Permit:
        """Asked before every call. Raises ``CircuitOpen``."""
        if self.state is State.OPEN:
            left = self._opened_at + self._open_for - trio.current_time()
            if left > 0:
                raise self._refused(left)
            self._enter(State.HALF_OPEN)
        if self.state is State.HALF_OPEN:
            if self._probes >= self._probes_allowed:
                raise self._refused(1.0)
            self._probes += 1
        return Permit(self, self._epoch)

    def _refused(self, retry_after: float) -> CircuitOpen:
        self._metrics.rejected += 1
        return CircuitOpen(retry_after)

    def _settle(self, epoch: int, good: bool | None) -> None:
        """``None``: it was cancelled, which says nothing of the dependency."""
        if good is not None:
            self._metrics.count(good)
        if epoch != self._epoch:
            return
        if self.state is State.HALF_OPEN:
            self._probes -= 1
        if good:
            self._succeeded()
        elif good is False:
            self._failed()

    def _succeeded(self) -> None:
        self._failures = 0
        self._successes += 1
        if self.state is State.HALF_OPEN and self._successes >= self._successes_needed:
            self._enter(State.CLOSED)

    def _failed(self) -> None:
        self._failures += 1
        if self.state is State.HALF_OPEN or self._failures >= self._failures_allowed:
            self._opened_at = trio.current_time()
            self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self._metrics.moved(self.state, state)
        self.state = state
        self._epoch += 1
        self._failures = self._successes = self._probes = 0


class Permit:
    """One admitted call, as a context manager.

    Left normally it was a success, by an ``Exception`` a failure, cancelled neither. ``succeeded`` settles it before, where
    an exception says nothing against the dependency.
    """

    __slots__ = ("_breaker", "_epoch", "_settled")

    def __init__(self, breaker: CircuitBreaker, epoch: int) -> None:
        self._breaker = breaker
        self._epoch = epoch
        self._settled = False

    def succeeded(self) -> None:
        self._settle(True)

    def release(self) -> None:
        """The call was not made after all."""
        self._settle(None)

    def _settle(self, good: bool | None) -> None:
        if not self._settled:
            self._settled = True
            self._breaker._settle(self._epoch, good)

    def __enter__(self) -> Permit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._settle(True if error is None else False if isinstance(error, Exception) else None)
