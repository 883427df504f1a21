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
from .response import Fields, status_line
from .wire import Wire

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_READ_AHEAD: Final = 64 << 10
_JOIN_BELOW: Final = 16 << 10
_DISCARDED: Final = 64 << 10
"""A body that the application does not read is read and dropped up to this length; beyond it the connection closes."""


class Exchange:
    """Holds the response to HTTP's rules whatever the application does.

    The head leaves with the first piece of body, so that a response in one piece is one system call, and an
    application that fails before it is answered for with a problem.
    """

    __slots__ = (
        "_body",
        "_chunked",
        "_clock",
        "_expects_continue",
        "_fields",
        "_head",
        "_left",
        "_lot",
        "_receiving",
        "_requested",
        "_silent",
        "_status",
        "_wire",
        "begun",
        "complete",
        "disconnected",
        "keep_alive",
        "refused",
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
        self._status = b""
        self._fields: Fields | None = None
        self._silent = False
        self._chunked = False
        self._left: int | None = None
        self.keep_alive = keep_alive
        self.begun = False
        """Whether bytes of the response may have left."""
        self.complete = False
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
            return await (
                self.disconnection() if self._body is None or self._requested else self._next_part(self._body)
            )
        finally:
            self._receiving = False
            self._unpark()

    async def send(self, message: Message) -> None:
        """ASGI's ``send``. Raises ``ClientDisconnected``, ``ResponseInvalid``, ``ProtocolMisuse``."""
        kind = message["type"]
        if self.disconnected:
            raise ClientDisconnected("the client is gone")
        try:
            if kind == "http.response.start":
                self._start(message)
            elif kind != "http.response.body":
                raise ProtocolMisuse(f"{kind} cannot be sent here")
            elif self.begun:
                await self._go_on(message.get("body", b""), message.get("more_body", False))
            else:
                await self._begin(message.get("body", b""), message.get("more_body", False))
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
        if not self.begun:
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

    def _start(self, message: Message) -> None:
        if self._fields is not None:
            raise ProtocolMisuse("the response has been started")
        status = message["status"]
        self._status = status_line(status)
        self._fields = Fields(message.get("headers", ()))
        self._silent = self._head.method == "HEAD" or status in (204, 304)
        if status == 204:
            self._fields.length = None

    async def _begin(self, body: bytes, more: bool) -> None:
        fields = self._fields
        if fields is None:
            raise ProtocolMisuse("the response has not been started")
        length = fields.length
        if self._silent:
            framing = b"" if length is None else b"content-length: %d\r\n" % length
            body = b""
        elif length is not None or not more:
            if length is None:
                length = len(body)
            self._left = length
            self._count(body, more)
            framing = b"content-length: %d\r\n" % length
        elif self._head.version == "1.1":
            self._chunked = True
            framing = b"transfer-encoding: chunked\r\n"
        else:
            framing = b""
            self.keep_alive = False
        date = b"" if fields.dated else self._clock.date
        head = b"".join((self._status, fields.lines, framing, date, self._persistence(fields)))
        self.begun = True
        await self._write(head, body, more)

    async def _go_on(self, body: bytes, more: bool) -> None:
        if self.complete:
            raise ProtocolMisuse("the response is complete")
        if self._silent:
            body = b""
        else:
            self._count(body, more)
        await self._write(b"", body, more)

    async def _write(self, head: bytes, body: bytes, more: bool) -> None:
        tail = b""
        if self._chunked:
            if body:
                head += b"%x\r\n" % len(body)
                tail = b"\r\n"
            if not more:
                tail += b"0\r\n\r\n"
        if len(body) >= _JOIN_BELOW:
            await self._wire.write_parts((head, body, tail))
        elif data := head + body + tail:
            await self._wire.write(data)
        if more:
            await trio.lowlevel.checkpoint()
        else:
            self._finish()

    def _finish(self) -> None:
        self.complete = True
        if self._receiving:
            self._wire.wake()
            self._unpark()

    def _count(self, body: bytes, more: bool) -> None:
        if self._left is None:
            return
        self._left -= len(body)
        if self._left < 0 or (self._left and not more):
            raise ResponseInvalid(f"the body is {'longer' if self._left < 0 else 'shorter'} than its Content-Length")

    def _persistence(self, fields: Fields) -> bytes:
        """The end of the head, which says whether the connection goes on."""
        if fields.closes or not self._can_drop_rest():
            self.keep_alive = False
        if not self.keep_alive:
            return b"connection: close\r\n\r\n"
        return b"\r\n" if self._head.version == "1.1" else b"connection: keep-alive\r\n\r\n"

    def _can_drop_rest(self) -> bool:
        """By what the head said and not by what has arrived: the same request gets the same answer however it is split."""
        if self._body is None or self._body.complete:
            return True
        return not self._expects_continue and 0 <= self._head.length <= _DISCARDED

    async def _next_part(self, body: Body) -> Message:
        try:
            if self._expects_continue and not self.begun:
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

    async def disconnection(self) -> Message:
        """Waits for the client to go. One that only stopped writing may still read: ``send`` goes on working."""
        try:
            while not self._wire.eof and not self.complete:
                if self._wire.unread >= _READ_AHEAD:
                    await self._park()
                else:
                    await self._wire.read_ahead(NEVER)
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
