"""One HTTP request and its response: the ``receive`` and ``send`` of one call of the application."""

from __future__ import annotations

from typing import Final

import trio

from . import problems
from .body import Body
from .clock import NEVER, Clock
from .errors import ClientDisconnected, ProtocolMisuse, Refused, ResponseInvalid, TimedOut, Woken
from .head import Head
from .protocol import Message
from .response import Response
from .wire import Wire

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_READ_AHEAD: Final = 64 << 10
_JOIN_BELOW: Final = 16 << 10
_DISCARDED: Final = 64 << 10
"""A body that the application does not read is read and dropped up to this length; beyond it the connection closes."""


class Exchange:
    """Holds the conversation to HTTP's rules whatever the application does.

    The head leaves with the first piece of body, so that a response in one piece is one system call, and an
    application that fails before it is answered for with a problem.
    """

    __slots__ = (
        "_body",
        "_clock",
        "_expects_continue",
        "_head",
        "_lot",
        "_receiving",
        "_requested",
        "_wire",
        "complete",
        "disconnected",
        "refused",
        "response",
        "violation",
    )

    def __init__(self, wire: Wire, clock: Clock, head: Head, body: Body | None, keep_alive: bool) -> None:
        self._wire = wire
        self._clock = clock
        self._head = head
        self._body = body
        self._expects_continue = head.expects_continue
        self._requested = False
        self._receiving = False
        self._lot: trio.lowlevel.ParkingLot | None = None
        self.response = Response(head, keep_alive)
        self.complete = False
        """Whether the whole response was given to the kernel."""
        self.disconnected = False
        self.refused: Refused | None = None
        """What the server answered in the application's place."""
        self.violation: Exception | None = None
        """How the application broke the rules for responses."""

    async def receive(self) -> Message:
        """ASGI's ``receive``: the body, then the disconnection, which is also what the end of the response looks like."""
        if self._body is None and not self._requested:
            self._requested = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while self._receiving:
            await self._park()
        if self.complete or self.disconnected:
            return {"type": "http.disconnect"}
        self._receiving = True
        try:
            if self._body is None or self._requested:
                return await self._disconnection()
            return await self._next_part(self._body)
        finally:
            self._receiving = False
            self._unpark()

    async def send(self, message: Message) -> None:
        """ASGI's ``send``. Raises ``ClientDisconnected``, ``ResponseInvalid``, ``ProtocolMisuse``."""
        if self.disconnected:
            raise ClientDisconnected("the client is gone")
        kind = message["type"]
        try:
            if kind == "http.response.body":
                await self._send_body(message.get("body", b""), message.get("more_body", False))
            elif kind == "http.response.start":
                self.response.start(message["status"], message.get("headers", ()))
            else:
                raise ProtocolMisuse(f"{kind} cannot be sent here")
        except ClientDisconnected:
            self.disconnected = True
            raise
        except ResponseInvalid as violation:
            self.disconnected = True
            self.violation = violation
            raise

    def refuse(self, refused: Refused) -> None:
        """Answers in the application's place, or breaks off if it has begun to answer."""
        self.refused = refused
        self.disconnected = True
        if not self.response.begun:
            with_body = self._head.method != "HEAD"
            self._wire.write_now(problems.encode(refused, self._clock.date, with_body=with_body))

    @property
    def abandoned(self) -> bool:
        """The client is gone or was answered by the server: what the application makes of it is no failure of its own."""
        return self.disconnected and self.violation is None

    @property
    def leaves_unread(self) -> bool:
        """Whether the client may still be sending what nobody will read."""
        return self.refused is not None or self._wire.unread > 0 or not (self._body is None or self._body.complete)

    async def discard(self) -> bool:
        """Drops what the application left of the request's body; whether the connection can go on."""
        if self._body is None:
            return True
        while not self._body.complete:
            message = await self._next_part(self._body)
            if message["type"] == "http.disconnect":
                return False
        return True

    async def _send_body(self, body: bytes, more: bool) -> None:
        if self.complete:
            raise ProtocolMisuse("the response is complete")
        response = self.response
        if self._body is not None and not response.begun and not self._can_drop_rest(self._body):
            response.keep_alive = False
        before, body, after = response.frame(body, more, self._clock.date)
        # The responses of one tick leave together in the next: a client on this machine is woken once for all of them.
        await trio.lowlevel.cancel_shielded_checkpoint()
        if len(body) >= _JOIN_BELOW:
            await self._wire.write_rest([memoryview(part) for part in (before, body, after) if part])
        elif data := before + body + after:
            await self._wire.write(data)
        if more:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            self.complete = True
            if self._receiving:
                self._wire.wake()
                self._unpark()

    def _can_drop_rest(self, body: Body) -> bool:
        """By what the head said and not by what has arrived: the same request gets the same answer however it is split."""
        return body.complete or (not self._expects_continue and 0 <= self._head.length <= _DISCARDED)

    async def _next_part(self, body: Body) -> Message:
        try:
            if self._expects_continue and not self.response.begun:
                self._expects_continue = False
                await self._wire.write(_CONTINUE)
            while True:
                part, rest = body.feed(self._wire.take())
                self._wire.put_back(rest)
                if part or body.complete:
                    self._requested = body.complete
                    return {"type": "http.request", "body": part, "more_body": not body.complete}
                if body.fault is not None:
                    return self._give_up(body.fault)
                if not await self._wire.read_ahead(self._clock.body):
                    return self._give_up(problems.incomplete())
        except TimedOut:
            return self._give_up(problems.too_slow())
        except ClientDisconnected:
            self.disconnected = True
        except Woken:
            pass
        return {"type": "http.disconnect"}

    def _give_up(self, refused: Refused) -> Message:
        self.refuse(refused)
        return {"type": "http.disconnect"}

    async def _disconnection(self) -> Message:
        """Waits for the client to go. One that only stopped writing may still read: ``send`` goes on working.

        What has arrived is looked at first, for those who ask in a scope that is cancelled already.
        """
        wire = self._wire
        try:
            if wire.unread < _READ_AHEAD:
                wire.poll()
            while not wire.eof and not self.complete:
                if wire.unread >= _READ_AHEAD:
                    await self._park()
                else:
                    await wire.read_ahead(NEVER)
        except ClientDisconnected:
            self.disconnected = True
        except Woken:
            pass
        return {"type": "http.disconnect"}

    async def _park(self) -> None:
        if self._lot is None:
            self._lot = trio.lowlevel.ParkingLot()
        await self._lot.park()

    def _unpark(self) -> None:
        if self._lot is not None:
            self._lot.unpark_all()
