"""How an actor lives: set-up, then its messages one after the other beside its background work, then tear-down."""

from __future__ import annotations

import inspect
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import trio

from .context import LiveContext
from .errors import ActorUnavailable, ReplyError
from .mailbox import BATCH, Letter, PendingReply

if TYPE_CHECKING:
    from .actor import Actor

Method = Callable[[Any], Any]


async def serve(actor: Actor[Any]) -> None:
    """Runs one incarnation of ``actor`` until it is cancelled or fails."""
    context = cast(LiveContext, actor.context)
    try:
        await actor.setup()
        async with trio.open_nursery() as nursery:
            loop = MailboxLoop(actor, context, nursery)
            context.ready()
            nursery.start_soon(actor.background)
            await loop.run()
    finally:
        with trio.CancelScope(shield=True):
            await actor.teardown()


class MailboxLoop:
    """Takes messages and gives each to its handler."""

    def __init__(self, actor: Actor[Any], context: LiveContext, nursery: trio.Nursery) -> None:
        from .actor import handlers_of

        self._actor = actor
        self._context = context
        self._place = context.place
        self._methods: dict[type[Any], Method] = {}
        self._lanes: dict[type[Any], Lane] = {}
        for kind, handler in handlers_of(type(actor)).items():
            method: Method = getattr(actor, handler.name)
            if handler.concurrent:
                self._lanes[kind] = Lane(self, method, handler.concurrent, nursery)
            else:
                self._methods[kind] = method

    async def run(self) -> None:
        mailbox = self._context.mailbox
        while True:
            await mailbox.wait()
            for _ in range(BATCH):
                letter = self._context.mailbox.take()
                if letter is None:
                    break
                await self._dispatch(letter)

    async def _dispatch(self, letter: Letter) -> None:
        message, _, reply = letter
        if reply is not None and reply.given_up:
            self._place.late_replies += 1
            return
        method = self._methods.get(type(message))
        if method is not None:
            await self.handle(method, message, reply)
            return
        lane = self._lanes.get(type(message))
        if lane is not None:
            await lane.put(letter)
            return
        self._refuse(message, reply)

    async def handle(self, method: Method, message: Any, reply: PendingReply | None) -> None:
        """Runs one handler; its failure is the actor's, unless it is an answer (``ReplyError``)."""
        began = time.perf_counter()
        try:
            result = method(message)
            if inspect.isawaitable(result):
                result = await result
        except BaseException as error:
            if reply is not None:
                answer = error if isinstance(error, ReplyError) else ActorUnavailable(self._place.id, _why(error))
                reply.error(answer)
            if not isinstance(error, ReplyError):
                raise
        else:
            if reply is not None and not reply.value(result):
                self._place.late_replies += 1
        finally:
            self._place.times.add(time.perf_counter() - began)

    def _refuse(self, message: Any, reply: PendingReply | None) -> None:
        reason = f"{type(self._actor).__name__} has no handler for it"
        self._place.dead_letter(message, reason)
        if reply is not None:
            reply.error(ActorUnavailable(self._place.id, f"it takes no {type(message).__name__}"))


def _why(error: BaseException) -> str:
    if isinstance(error, trio.Cancelled):
        return "it was stopped before it answered"
    return f"it failed before it answered ({type(error).__name__})"


class Lane:
    """A handler of which several may run at once; what waits for a free one is bounded by the mailbox's capacity."""

    def __init__(self, loop: MailboxLoop, method: Method, limit: int, nursery: trio.Nursery) -> None:
        self._loop = loop
        self._method = method
        self._limit = limit
        self._nursery = nursery
        self._waiting: deque[Letter] = deque()
        self._running = 0
        self._room = trio.Semaphore(loop._context.mailbox.capacity)

    async def put(self, letter: Letter) -> None:
        """Waits, and so stops the mailbox, only when a whole mailbox of messages waits already."""
        await self._room.acquire()
        self._waiting.append(letter)
        if self._running < self._limit:
            self._running += 1
            self._nursery.start_soon(self._work)

    async def _work(self) -> None:
        try:
            while self._waiting:
                message, _, reply = self._waiting.popleft()
                self._room.release()
                if reply is None or not reply.given_up:
                    await self._loop.handle(self._method, message, reply)
        finally:
            self._running -= 1
            self._fail_if_cancelled()

    def _fail_if_cancelled(self) -> None:
        """The last worker to leave while letters wait leaves because the incarnation ends: nobody else will answer."""
        if self._running == 0:
            while self._waiting:
                _, _, reply = self._waiting.popleft()
                if reply is not None:
                    reply.error(ActorUnavailable(self._loop._place.id, "it was stopped before it answered"))
