"""How often a child may be restarted, and how long to wait before each time."""

from __future__ import annotations

import random
from collections import deque

from .specs import Backoff

_HALF_LIFE = 30.0
"""Seconds in which the failure score halves (suture's)."""


class RestartWindow:
    """OTP's restart intensity: more than ``intensity`` restarts within the last ``period`` seconds are too many."""

    __slots__ = ("_times", "intensity", "period")

    def __init__(self, intensity: int, period: float) -> None:
        self.intensity = intensity
        self.period = period
        self._times: deque[float] = deque()

    def add(self, now: float) -> bool:
        """Counts one restart. ``False``: it was one too many."""
        self._times.append(now)
        return self.count(now) <= self.intensity

    def count(self, now: float) -> int:
        """Restarts within the window that ends now."""
        while self._times and now - self._times[0] > self.period:
            self._times.popleft()
        return len(self._times)


class BackoffClock:
    """The delay before a child's next start; begins anew after it ran quietly for ``reset_after``."""

    __slots__ = ("_attempt", "_backoff", "_random", "_started")

    def __init__(self, backoff: Backoff, random: random.Random) -> None:
        self._backoff = backoff
        self._random = random
        self._attempt = 0
        self._started: float | None = None

    def started(self, now: float) -> None:
        """The child got ready."""
        self._started = now

    def next_delay(self, now: float) -> float:
        """Seconds to wait from now on."""
        if self._started is not None and now - self._started >= self._backoff.reset_after:
            self._attempt = 0
        self._started = None
        rule = self._backoff
        delay = min(rule.limit, rule.first * rule.factor ** min(self._attempt, 64))
        self._attempt += 1
        return delay * (1 + rule.jitter * self._random.uniform(-1, 1))


class FailureScore:
    """One more for each failure, halved every 30 s: how troubled a child was lately."""

    __slots__ = ("_at", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._at = 0.0

    def add(self, now: float) -> None:
        self._value = self.value(now) + 1
        self._at = now

    def value(self, now: float) -> float:
        return float(self._value * 0.5 ** ((now - self._at) / _HALF_LIFE)) if self._value else 0.0
