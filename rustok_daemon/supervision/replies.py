"""Where the answer to an ``ask`` goes, and who ends those that wait too long."""

from __future__ import annotations

import math
from typing import Any

import trio
from outcome import Error, Outcome, Value

from .errors import AskTimeout


class PendingReply:
    """The asker is woken directly, no channel between; what is settled first counts."""

    __slots__ = ("_name", "_outcome", "_task", "_within", "given_up")

    def __init__(self, name: str, within: float) -> None:
        self._name = name
        self._within = within
        self._outcome: Outcome[Any] | None = None
        self._task: trio.lowlevel.Task | None = None
        self.given_up = False
        """Nobody waits any more: the request need not be handled, a reply is dropped."""

    def value(self, value: object) -> bool:
        """Answers. ``False``: nobody waits any more."""
        return self._settle(Value(value))

    def error(self, error: BaseException) -> bool:
        """Answers with what is raised at the asker. ``False``: nobody waits any more."""
        return self._settle(Error(error))

    def expire(self) -> None:
        """The deadline has passed."""
        self._settle(Error(AskTimeout(self._name, self._within)))
        self.given_up = True

    def _settle(self, outcome: Outcome[Any]) -> bool:
        if self.given_up:
            return False
        if self._outcome is None:
            self._outcome = outcome
            if self._task is not None:
                task, self._task = self._task, None
                trio.lowlevel.reschedule(task)
        return True

    async def wait(self) -> Any:
        """The answer, or what was raised instead of it."""
        if self._outcome is None:
            self._task = trio.lowlevel.current_task()
            try:
                await trio.lowlevel.wait_task_rescheduled(self._abort)
            except BaseException:
                self.given_up = True
                raise
        assert self._outcome is not None
        return self._outcome.unwrap()

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class Deadlines:
    """Ends asks whose time is over: one task for all of them.

    A cancel scope for each ask would be the dearest part of it (docs/decisions.md). Asks that may wait equally long are due
    in the order in which they began, so that of each such row only the first is looked at.
    """

    def __init__(self) -> None:
        self._rows: dict[float, dict[PendingReply, float]] = {}
        self._sleep = trio.CancelScope()
        self._wakes_at = math.inf

    def add(self, reply: PendingReply, within: float) -> None:
        """``reply`` expires in ``within`` seconds."""
        deadline = trio.current_time() + within
        row = self._rows.get(within)
        if row is None:
            row = self._rows[within] = {}
        row[reply] = deadline
        if deadline < self._wakes_at:
            self._wakes_at = self._sleep.deadline = deadline

    def discard(self, reply: PendingReply, within: float) -> None:
        """It was answered, or nobody waits."""
        row = self._rows.get(within)
        if row is not None:
            row.pop(reply, None)
            if not row:
                del self._rows[within]

    @property
    def pending(self) -> int:
        """Asks that are neither answered nor overdue."""
        return sum(map(len, self._rows.values()))

    async def run(self) -> None:
        """Expires what is due, for ever."""
        while True:
            with self._sleep:
                await trio.sleep_forever()
            self._expire()
            self._wakes_at = min((next(iter(row.values())) for row in self._rows.values()), default=math.inf)
            self._sleep = trio.CancelScope(deadline=self._wakes_at)

    def _expire(self) -> None:
        now = trio.current_time()
        for row in self._rows.values():
            for reply, deadline in list(row.items()):
                if deadline > now:
                    break
                del row[reply]
                reply.expire()
        self._rows = {within: row for within, row in self._rows.items() if row}
