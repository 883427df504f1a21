"""RusToK's generation counter, followed from message to message."""

from __future__ import annotations

import enum

from .rustok_formats import Generation


class Step(enum.Enum):
    """How a message stands to the last one that was applied."""

    IN_ORDER = "in_order"
    DUPLICATE = "duplicate"
    STALE = "stale"
    GAP = "gap"
    UNVERIFIED_FIRST = "unverified_first"


class GenerationTrack:
    """The last generation that was applied; ``acknowledge`` comes after the application, never before."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: Generation | None = None

    def classify(self, generation: Generation) -> Step:
        """Says how ``generation`` follows.

        A lower number sent later means that Redis lost the counter and began anew: there is nothing to hold it against.
        """
        last = self._last
        if last is None:
            return Step.UNVERIFIED_FIRST
        if generation.number < last.number:
            return Step.UNVERIFIED_FIRST if generation.emitted_ms > last.emitted_ms else Step.STALE
        if generation.number == last.number:
            return Step.DUPLICATE if generation == last else Step.UNVERIFIED_FIRST
        return Step.IN_ORDER if generation.number == last.number + 1 else Step.GAP

    def acknowledge(self, generation: Generation) -> None:
        self._last = generation

    def forget(self) -> None:
        """After a gap in the channel nothing is known of what came between."""
        self._last = None
