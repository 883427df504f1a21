"""The watch over the loop: how late it runs, and, from a thread, where it stands while it does not run at all."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

import msgspec
import trio
from prometheus_client import CollectorRegistry, Histogram

from .logs import get_logger

_BEAT = 0.1
_NOTABLE = 1.0
"""Seconds without a beat after which a stall is logged while it lasts."""


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """The loop has not turned for ``seconds``; ``frame`` is where the loop's thread stands, innermost call first."""

    seconds: float
    frame: tuple[str, ...]


class LoopWatch:
    """Beats in the loop and watches the beat from a thread of its own.

    ``rustok_loop_stall_seconds`` is a histogram of how late each beat came; the thread logs a stall of more than a
    second while it lasts, since the loop itself can only do so afterwards.
    """

    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat = clock()
        self._late = Histogram(
            "rustok_loop_stall_seconds",
            "How late the event loop came back to a periodic task.",
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30),
            registry=registry,
        )
        self._loop_thread = threading.get_ident()
        self._end = threading.Event()

    async def run(self) -> None:
        """Beats until cancelled, with the watching thread beside it."""
        self._loop_thread = threading.get_ident()
        self._beat = self._clock()
        thread = threading.Thread(target=self._watch, name="loop-watch", daemon=True)
        thread.start()
        try:
            await self._beat_for_ever()
        finally:
            self._end.set()

    def stall(self) -> Stall | None:
        """The stall that lasts now, or ``None``. Good from any thread."""
        late = self._clock() - self._beat - _BEAT
        if late < _NOTABLE:
            return None
        return Stall(seconds=late, frame=_frames(sys._current_frames().get(self._loop_thread)))

    async def _beat_for_ever(self) -> None:
        while True:
            due = self._clock() + _BEAT
            await trio.sleep(_BEAT)
            self._beat = self._clock()
            self._late.observe(max(0.0, self._beat - due))

    def _watch(self) -> None:
        log = get_logger(actor="loop_watch")
        reported = 0.0
        while not self._end.wait(_BEAT):
            stall = self.stall()
            if stall is not None and self._beat != reported:
                reported = self._beat
                log.warning("the event loop is blocked", seconds=round(stall.seconds, 1), frame=stall.frame)


def _frames(frame: FrameType | None) -> tuple[str, ...]:
    if frame is None:
        return ()
    stack = traceback.extract_stack(frame, limit=12)
    return tuple(f"{entry.name} ({entry.filename}:{entry.lineno})" for entry in reversed(stack))
