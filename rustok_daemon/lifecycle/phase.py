"""Where the daemon stands as a whole; the root and the drain move it, health reads it."""

from __future__ import annotations


class DaemonPhase:
    """Starting, then started, then stopping, then draining; never back."""

    __slots__ = ("cut", "draining", "started", "stopping")

    def __init__(self) -> None:
        self.started = False
        self.stopping = False
        """Asked to stop: from now on the end of the drain is a drain, and not a restart."""
        self.draining = False
        self.cut = 0
        """What a drain could not finish in time."""

    def mark_started(self) -> None:
        self.started = True

    def mark_stopping(self) -> None:
        self.stopping = True

    def mark_draining(self) -> None:
        self.draining = True
