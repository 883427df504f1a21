"""Where the daemon stands as a whole; the root and the drain move it, health reads it."""

from __future__ import annotations


class DaemonPhase:
    """Starting, then started, then draining; never back."""

    __slots__ = ("_draining", "_started")

    def __init__(self) -> None:
        self._started = False
        self._draining = False

    @property
    def started(self) -> bool:
        return self._started

    @property
    def draining(self) -> bool:
        return self._draining

    def mark_started(self) -> None:
        self._started = True

    def mark_draining(self) -> None:
        self._draining = True
