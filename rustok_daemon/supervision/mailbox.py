"""A bounded mailbox: many senders, one receiver; it belongs to the child's place and outlives its incarnations."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import trio
from outcome import Error, Outcome, Value

from .errors import ActorUnavailable, AskTimeout, MailboxFull
from .specs import Overflow

BATCH = 20
"""Messages handled per wake-up before others get their turn (docs/decisions.md)."""


class PendingReply:
    """Where the answer to an ``ask`` goes: the asker is woken directly, no channel between."""

    __slots__ = ("_outcome", "_task", "given_up")

    def __init__(self) -> None:
        self._outcome: Outcome[Any] | None = None
        self._task: trio.lowlevel.Task | None = None
        self.given_up = False

    def value(self, value: object) -> bool:
        """Answers. ``False``: nobody waits any more."""
        return self._settle(Value(value))

    def error(self, error: BaseException) -> bool:
        return self._settle(Error(error))

    def _settle(self, outcome: Outcome[Any]) -> bool:
        if self.given_up:
            return False
        if self._outcome is None:
            self._outcome = outcome
            if self._task is not None:
                task, self._task = self._task, None
                trio.lowlevel.reschedule(task)
        return True

    async def wait(self, name: str, within: float) -> Any:
        with trio.move_on_after(within):
            if self._outcome is None:
                self._task = trio.lowlevel.current_task()
                try:
                    await trio.lowlevel.wait_task_rescheduled(self._abort)
                except BaseException:
                    self.given_up = True
                    raise
        if self._outcome is None:
            self.given_up = True
            raise AskTimeout(name, within)
        return self._outcome.unwrap()

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


Letter = tuple[Any, float, "PendingReply | None"]
"""The message, when it was put in (``time.perf_counter``), and where its reply goes."""


class Mailbox:
    """Bounded queue with one receiver. ``closed_because`` is set while nobody will read: senders are refused at once."""

    __slots__ = (
        "_on_dead_letter",
        "_queue",
        "_receiver",
        "_senders",
        "capacity",
        "closed_because",
        "name",
        "overflow",
        "peak",
    )

    def __init__(
        self, name: str, capacity: int, overflow: Overflow, on_dead_letter: Callable[[object, str], None]
    ) -> None:
        self.name = name
        self.capacity = capacity
        self.overflow = overflow
        self.peak = 0
        self.closed_because: str | None = "it has not started"
        self._queue: deque[Letter] = deque()
        self._receiver: trio.lowlevel.Task | None = None
        self._senders = trio.lowlevel.ParkingLot()
        self._on_dead_letter = on_dead_letter

    def __len__(self) -> int:
        return len(self._queue)

    def oldest_age(self) -> float:
        """Seconds the first message has waited; 0 when there is none."""
        return time.perf_counter() - self._queue[0][1] if self._queue else 0.0

    def put_nowait(self, message: object, reply: PendingReply | None = None) -> None:
        """Raises ``ActorUnavailable`` or ``MailboxFull``; drops by the overflow policy otherwise."""
        queue = self._queue
        if self.closed_because is not None:
            raise ActorUnavailable(self.name, self.closed_because)
        if len(queue) >= self.capacity and not self._make_room(message, reply):
            return
        queue.append((message, time.perf_counter(), reply))
        if len(queue) > self.peak:
            self.peak = len(queue)
        if self._receiver is not None:
            task, self._receiver = self._receiver, None
            trio.lowlevel.reschedule(task)

    async def put(self, message: object, reply: PendingReply | None = None) -> None:
        """As ``put_nowait``, but waits for room where the policy is to wait. No checkpoint while there is room."""
        while self.overflow is Overflow.WAIT and len(self._queue) >= self.capacity and self.closed_because is None:
            await self._senders.park()
        self.put_nowait(message, reply)

    def _make_room(self, message: object, reply: PendingReply | None) -> bool:
        if self.overflow is Overflow.DROP_OLDEST:
            oldest, _, pending = self._queue.popleft()
            self._drop(oldest, pending, "mailbox full, oldest dropped")
            return True
        if self.overflow is Overflow.DROP_NEWEST:
            self._drop(message, reply, "mailbox full, newest dropped")
            return False
        raise MailboxFull(self.name, self.capacity)

    def _drop(self, message: object, reply: PendingReply | None, reason: str) -> None:
        self._on_dead_letter(message, reason)
        if reply is not None:
            reply.error(MailboxFull(self.name, self.capacity))

    async def wait(self) -> None:
        """Waits until there is a message; always a checkpoint."""
        if self._queue:
            await trio.lowlevel.checkpoint()
            return
        self._receiver = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort_receiver)

    def _abort_receiver(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._receiver = None
        return trio.lowlevel.Abort.SUCCEEDED

    def take(self) -> Letter | None:
        """The next message, without waiting."""
        if not self._queue:
            return None
        letter = self._queue.popleft()
        if self._senders:
            self._senders.unpark()
        return letter

    def open(self) -> None:
        """Somebody will read."""
        self.closed_because = None

    def close(self, reason: str) -> None:
        """Nobody will read: waiting senders and asks fail now, told messages are dead letters."""
        self.closed_because = reason
        self._senders.unpark_all()
        while self._queue:
            message, _, reply = self._queue.popleft()
            self._on_dead_letter(message, reason)
            if reply is not None:
                reply.error(ActorUnavailable(self.name, reason))
