"""A bounded mailbox: many senders, one receiver; it belongs to the child's place and outlives its incarnations."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any

import trio
from outcome import Error

from .errors import ActorUnavailable, Fenced, MailboxFull
from .replies import PendingReply
from .specs import Overflow

if TYPE_CHECKING:
    from .actor import Fence

BATCH = 100
"""Messages handled per wake-up before others get their turn (docs/decisions.md)."""
TURN = 0.001
"""Seconds of handling after which they get it all the same."""

Letter = tuple[Any, float, "PendingReply | None"]
"""The message, when it was put in (``time.perf_counter``), and where its reply goes."""


class Mailbox:
    """Bounded queue with one receiver. ``closed_because`` is set while nobody will read: senders are refused at once.

    Letters that were taken but wait for a free handler are set aside, by message type. They still count as being in the
    mailbox, and are put back in front when the next incarnation opens it: a restart loses what was begun, nothing else.
    """

    __slots__ = (
        "_aside",
        "_on_dead_letter",
        "_queue",
        "_receiver",
        "_set_aside",
        "capacity",
        "closed_because",
        "name",
        "overflow",
        "peak",
        "waiting",
    )

    def __init__(
        self, name: str, capacity: int, overflow: Overflow, on_dead_letter: Callable[[object, str], None]
    ) -> None:
        self.name = name
        self.capacity = capacity
        self.overflow = overflow
        self.peak = 0
        self.closed_because: str | None = "it has not started"
        self.waiting: OrderedDict[trio.lowlevel.Task, tuple[Any, PendingReply | None, Fence | None]] = OrderedDict()
        """Senders that wait for room, first come first served, each with its message."""
        self._queue: deque[Letter] = deque()
        self._aside: dict[type[Any], deque[Letter]] = {}
        self._set_aside = 0
        self._receiver: trio.lowlevel.Task | None = None
        self._on_dead_letter = on_dead_letter

    def __len__(self) -> int:
        return len(self._queue) + self._set_aside

    @property
    def full(self) -> bool:
        return len(self._queue) + self._set_aside >= self.capacity

    def oldest_age(self) -> float:
        """Seconds the oldest message has waited; 0 when there is none."""
        firsts = [letters[0][1] for letters in (self._queue, *self._aside.values()) if letters]
        return perf_counter() - min(firsts) if firsts else 0.0

    # -- senders -------------------------------------------------------------------------------------------------

    def put_nowait(self, message: object, reply: PendingReply | None = None) -> None:
        """Raises ``ActorUnavailable`` or ``MailboxFull``; drops by the overflow policy otherwise."""
        if not self.offer(message, reply):
            raise MailboxFull(self.name, self.capacity)

    async def put(self, message: object, reply: PendingReply | None = None) -> None:
        """As ``put_nowait``, but waits for room where the policy is to wait. No checkpoint while there is room."""
        if not self.offer(message, reply):
            await self.wait_for_room(message, reply)

    def offer(self, message: object, reply: PendingReply | None = None) -> bool:
        """As ``put_nowait``, but ``False`` when it is full and the policy is to wait."""
        if self.closed_because is not None:
            raise ActorUnavailable(self.name, self.closed_because)
        queue = self._queue
        depth = len(queue) + self._set_aside
        if depth >= self.capacity:
            if self.overflow is not Overflow.DROP_OLDEST:
                return self._overflow(message, reply)
            self._drop(self._take_oldest(), "mailbox full, oldest dropped")
            depth -= 1
        queue.append((message, perf_counter(), reply))
        if depth >= self.peak:
            self.peak = depth + 1
        if self._receiver is not None:
            task, self._receiver = self._receiver, None
            trio.lowlevel.reschedule(task)
        return True

    def _overflow(self, message: object, reply: PendingReply | None) -> bool:
        """Whether it is dealt with."""
        if self.overflow is Overflow.REJECT:
            raise MailboxFull(self.name, self.capacity)
        if self.overflow is Overflow.WAIT:
            return False
        self._drop((message, perf_counter(), reply), "mailbox full, newest dropped")
        return True

    def _take_oldest(self) -> Letter:
        """What is set aside was put in before everything in the queue."""
        aside = [letters for letters in self._aside.values() if letters]
        if not aside:
            return self._queue.popleft()
        self._set_aside -= 1
        return min(aside, key=_put_in_at).popleft()

    def _drop(self, letter: Letter, reason: str) -> None:
        message, _, reply = letter
        self._on_dead_letter(message, reason)
        if reply is not None:
            reply.error(MailboxFull(self.name, self.capacity))

    async def wait_for_room(
        self, message: object, reply: PendingReply | None = None, fence: Fence | None = None
    ) -> None:
        """Puts it in when those that came before have got in.

        Raises ``ActorUnavailable`` when it is closed before, ``Fenced`` when the sender's ``fence`` is raised before.
        """
        task = trio.lowlevel.current_task()
        self.waiting[task] = (message, reply, fence)

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            del self.waiting[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def admit(self) -> None:
        """Takes over the letters of waiting senders, in order, as far as there is room."""
        while self.waiting and not self.full:
            task, (message, reply, fence) = self.waiting.popitem(last=False)
            refused = _check(fence)
            if refused is None:
                self.offer(message, reply)
                trio.lowlevel.reschedule(task)
            else:
                trio.lowlevel.reschedule(task, Error(refused))

    # -- the receiver --------------------------------------------------------------------------------------------

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
        """The next message, without waiting. The room it leaves is the waiting senders' once ``admit`` is called."""
        return self._queue.popleft() if self._queue else None

    def set_aside(self, letter: Letter) -> None:
        """Keeps a letter just taken until ``take_aside``."""
        self._aside.setdefault(type(letter[0]), deque()).append(letter)
        self._set_aside += 1

    def take_aside(self, kind: type[Any]) -> Letter | None:
        """The next of the letters of this type that were set aside."""
        letters = self._aside.get(kind)
        if not letters:
            return None
        self._set_aside -= 1
        letter = letters.popleft()
        self.admit()
        return letter

    # -- its supervisor ------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Somebody will read, from the oldest letter on."""
        self.closed_because = None
        self._put_back()

    def respecify(self, capacity: int, overflow: Overflow) -> None:
        """Takes other limits; what is in it stays, even if that is more."""
        self.capacity = capacity
        self.overflow = overflow
        self.admit()

    def close(self, reason: str) -> None:
        """Nobody will read: waiting senders and asks fail now, told messages are dead letters."""
        self.closed_because = reason
        while self.waiting:
            task, _ = self.waiting.popitem(last=False)
            trio.lowlevel.reschedule(task, Error(ActorUnavailable(self.name, reason)))
        self._put_back()
        while self._queue:
            message, _, reply = self._queue.popleft()
            self._on_dead_letter(message, reason)
            if reply is not None:
                reply.error(ActorUnavailable(self.name, reason))

    def _put_back(self) -> None:
        letters = sorted(chain.from_iterable(self._aside.values()), key=lambda letter: letter[1])
        self._queue.extendleft(reversed(letters))
        self._aside.clear()
        self._set_aside = 0


def _put_in_at(letters: deque[Letter]) -> float:
    return letters[0][1]


def _check(fence: Fence | None) -> Fenced | None:
    if fence is None:
        return None
    try:
        fence.check()
    except Fenced as error:
        return error
    return None
