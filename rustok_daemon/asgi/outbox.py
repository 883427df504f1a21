"""Responses that were made without waiting: those of one tick leave together in the next.

A client on this machine is woken once for all of them, and no task is switched to for each (docs/decisions.md).
"""

from __future__ import annotations

import trio

from .wire import Wire


class Outbox:
    """What waits to be written, a piece for each wire; ``run`` writes it."""

    def __init__(self) -> None:
        self._waiting: list[Wire] = []
        self._writer: trio.lowlevel.Task | None = None

    def put(self, wire: Wire, data: bytes) -> None:
        """``data`` leaves soon. Nothing else may be queued on this wire."""
        wire.queue(data)
        self._waiting.append(wire)
        if self._writer is not None:
            writer, self._writer = self._writer, None
            trio.lowlevel.reschedule(writer)

    async def run(self) -> None:
        """Until cancelled. What a wire still has then is written when it is closed."""
        while True:
            self._writer = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
            waiting, self._waiting = self._waiting, []
            for wire in waiting:
                wire.flush()

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._writer = None
        return trio.lowlevel.Abort.SUCCEEDED
