"""How an actor lives: set-up, then its messages one after the other beside its background work, then tear-down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import trio

from .context import FailuresTold, LiveContext
from .errors import ActorUnavailable, Interrupted, LeakedCancelled, ReplyError, TeardownCut, describe
from .mailbox import BATCH, TURN, Letter
from .replies import PendingReply

if TYPE_CHECKING:
    from .actor import Actor

Method = Callable[[Any], Any]


async def serve(actor: Actor[Any]) -> None:
    """Runs one incarnation of ``actor`` until it is cancelled or fails."""
    context = cast(LiveContext, actor.context)
    try:
        with context.failures_told:
            await actor.setup()
        async with trio.open_nursery() as nursery:
            loop = MailboxLoop(actor, context, nursery)
            if actor.ready_when_set_up:
                context.ready()
            nursery.start_soon(_background, actor, context)
            with context.failures_told:
                await loop.run()
        raise LeakedCancelled
    except BaseException as error:
        await _tear_down(actor, context, error)
        raise


async def _background(actor: Actor[Any], context: LiveContext) -> None:
    with context.failures_told:
        await actor.background()


async def _tear_down(actor: Actor[Any], context: LiveContext, why: BaseException) -> None:
    """Shielded, but cut off when the shutdown budget is used up. What ended the incarnation stays its error."""
    stopped = isinstance(why, trio.Cancelled) or _all_cancelled(why)
    try:
        with context.teardown_scope as scope:
            await actor.teardown()
        if scope.cancelled_caught:
            raise TeardownCut("its teardown did not end within its shutdown budget and was cut off")
    except Exception as error:
        if stopped:
            raise
        context.log.warning("its teardown failed too", error=describe(error))


def _all_cancelled(error: BaseException) -> bool:
    return isinstance(error, BaseExceptionGroup) and error.split(trio.Cancelled)[1] is None


class MailboxLoop:
    """Takes messages and gives each to its handler."""

    def __init__(self, actor: Actor[Any], context: LiveContext, nursery: trio.Nursery) -> None:
        from .actor import handlers_of

        self._actor = actor
        self._place = context.place
        self._times = context.place.times
        self._mailbox = context.mailbox
        self._context = context
        self._in_turn: dict[type[Any], Method] = {}
        self._lanes: dict[type[Any], Lane] = {}
        for kind, handler in handlers_of(type(actor)).items():
            method: Method = getattr(actor, handler.name)
            if handler.concurrent:
                self._lanes[kind] = Lane(self, kind, method, handler.concurrent, nursery)
            else:
                self._in_turn[kind] = method

    async def run(self) -> None:
        """For ever. After ``BATCH`` messages, or ``TURN`` seconds of handling them, others get their turn."""
        context, mailbox, in_turn, times = self._context, self._mailbox, self._in_turn, self._times
        while True:
            await mailbox.wait()
            enough = times.seconds + TURN
            for _ in range(BATCH):
                letter = mailbox.take()
                if letter is None:
                    break
                method = in_turn.get(type(letter[0]))
                if method is None:
                    self._set_aside(letter)
                if mailbox.waiting:
                    mailbox.admit()
                if method is not None and (rest := self.begin(method, letter)) is not None:
                    await rest
                    if context.ending:
                        break
                if times.seconds > enough:
                    break

    def _set_aside(self, letter: Letter) -> None:
        """For a handler of which several may run at once, if there is one for it at all."""
        message, _, reply = letter
        lane = self._lanes.get(type(message))
        if lane is not None:
            self._mailbox.set_aside(letter)
            lane.work()
            return
        self._place.dead_letter(message, f"{type(self._actor).__name__} has no handler for it")
        if reply is not None:
            reply.error(ActorUnavailable(self._place.id, f"it takes no {type(message).__name__}"))

    def begin(self, method: Method, letter: Letter) -> Awaitable[None] | None:
        """Handles a message; what is left to be awaited is returned.

        A failure of the handler is the actor's, unless it is an answer (``ReplyError``).
        """
        message, _, reply = letter
        if reply is not None and reply.given_up:
            self._place.late_replies += 1
            return None
        began = perf_counter()
        try:
            result = method(message)
        except BaseException as error:
            self._times.add(perf_counter() - began)
            self._fail(reply, error)
            return None
        if result is not None and hasattr(result, "__await__"):
            return self._finish(result, reply, began)
        self._times.add(perf_counter() - began)
        if reply is not None and not reply.value(result):
            self._place.late_replies += 1
        return None

    async def _finish(self, result: Awaitable[Any], reply: PendingReply | None, began: float) -> None:
        in_flight = self._context.in_flight
        if reply is not None:
            in_flight.add(reply)
        try:
            value = await result
        except BaseException as error:
            self._fail(reply, error)
        else:
            if reply is not None and not reply.value(value):
                self._place.late_replies += 1
        finally:
            self._times.add(perf_counter() - began)
            if reply is not None:
                in_flight.discard(reply)

    def _fail(self, reply: PendingReply | None, error: BaseException) -> None:
        """Tells the asker, and raises what is not an answer."""
        if isinstance(error, ReplyError):
            if reply is not None:
                reply.error(error)
            return
        if reply is not None:
            reply.error(Interrupted(self._place.id, _why(error)))
        raise error

    def next_aside(self, kind: type[Any]) -> Letter | None:
        """The next letter for a lane, unless this incarnation is at its end: then the next one gets it."""
        return None if self._context.ending else self._mailbox.take_aside(kind)

    @property
    def failures_told(self) -> FailuresTold:
        return self._context.failures_told


def _why(error: BaseException) -> str:
    if isinstance(error, trio.Cancelled):
        return "it was stopped before it answered"
    return f"it failed before it answered ({type(error).__name__})"


class Lane:
    """A handler of which several may run at once. What waits for a free one is set aside in the mailbox."""

    def __init__(self, loop: MailboxLoop, kind: type[Any], method: Method, limit: int, nursery: trio.Nursery) -> None:
        self._loop = loop
        self._kind = kind
        self._method = method
        self._limit = limit
        self._nursery = nursery
        self._running = 0

    def work(self) -> None:
        """There is one more."""
        if self._running < self._limit:
            self._running += 1
            self._nursery.start_soon(self._work)

    async def _work(self) -> None:
        try:
            with self._loop.failures_told:
                while (letter := self._loop.next_aside(self._kind)) is not None:
                    rest = self._loop.begin(self._method, letter)
                    if rest is None:
                        await trio.lowlevel.checkpoint()
                    else:
                        await rest
        finally:
            self._running -= 1
