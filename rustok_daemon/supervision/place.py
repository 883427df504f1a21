"""A child's lasting place in the tree: what outlives its incarnations. Its supervisor changes it, others read it."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import trio

from rustok_daemon.declarations import Health

from .budget import FailureScore
from .mailbox import Mailbox
from .specs import ChildSpec, Kind, State, SupervisorSpec

BOUNDS = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds of the handler-time histogram, in seconds."""
_FIRST = BOUNDS[0]


class HandlerTimes:
    """How long handlers took: a histogram of plain integers, cheap enough for every message."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    @property
    def count(self) -> int:
        """Messages handled."""
        return sum(self.buckets)

    def add(self, seconds: float) -> None:
        self.buckets[0 if seconds <= _FIRST else bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def quantile(self, q: float) -> float | None:
        """Seconds, as the upper bound of the bucket the quantile falls into; ``None`` without a message."""
        count = self.count
        if not count:
            return None
        rank, seen = q * count, 0
        for bound, count in zip(BOUNDS, self.buckets, strict=False):
            seen += count
            if seen >= rank:
                return bound
        return BOUNDS[-1]


class LastError:
    """What ended an incarnation, and when (wall clock, seconds since 1970)."""

    __slots__ = ("at", "message", "type")

    def __init__(self, error: BaseException) -> None:
        self.type = type(error).__name__
        self.message = str(error)
        self.at = time.time()


class Place:
    """One child's place: identity, state, mailbox, and the counts an operator asks for."""

    def __init__(
        self,
        spec: ChildSpec | SupervisorSpec,
        path: str,
        on_dead_letter: Callable[[Place, object, str], None],
        metrics: Any,
    ) -> None:
        self.id = spec.id
        self.path = path
        self.spec = spec
        self.kind = spec.kind if isinstance(spec, ChildSpec) else Kind.SUPERVISOR
        self.metrics = metrics
        self._on_dead_letter = on_dead_letter
        capacity, overflow = (spec.mailbox, spec.overflow) if isinstance(spec, ChildSpec) else (0, None)
        self.mailbox: Mailbox | None = None
        if capacity and overflow is not None:
            self.mailbox = Mailbox(self.id, capacity, overflow, self.dead_letter)
        self.state = State.STOPPED
        self.since = time.time()
        self.backoff_until: float | None = None
        self.restarts = 0
        self.abandoned = 0
        """Incarnations that ignored their end and may still run, fenced off."""
        self.failures = FailureScore()
        self.last_error: LastError | None = None
        self.degraded: str | None = None
        self.health = Health()
        self.times = HandlerTimes()
        self.dead_letters = 0
        self.late_replies = 0
        self.rate = 0.0
        self.busy = 0.0

    def respecify(self, spec: ChildSpec | SupervisorSpec) -> None:
        """Takes a changed specification; the mailbox keeps what is in it."""
        self.spec = spec
        if self.mailbox is not None and isinstance(spec, ChildSpec):
            self.mailbox.respecify(spec.mailbox, spec.overflow)

    def enter(self, state: State) -> None:
        """Moves to ``state``, now."""
        if state is not self.state:
            self.state = state
            self.since = time.time()
        if state is not State.BACKOFF:
            self.backoff_until = None
        if state not in (State.RUNNING, State.STARTING):
            self.degraded = None
            self.health = Health()

    def dead_letter(self, message: object, reason: str) -> None:
        """Counts a message nobody took."""
        self.dead_letters += 1
        self._on_dead_letter(self, message, reason)

    @property
    def shown_state(self) -> State:
        """Running, but not able to do all of its work, shows as degraded."""
        if self.state is State.RUNNING and (self.degraded or self.health.status != "healthy"):
            return State.DEGRADED
        return self.state

    @property
    def reason(self) -> str | None:
        """Why it is degraded."""
        return self.degraded or self.health.reason

    def backoff_left(self) -> float | None:
        return None if self.backoff_until is None else max(0.0, self.backoff_until - trio.current_time())
