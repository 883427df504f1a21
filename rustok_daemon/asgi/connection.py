"""One connection, from its first byte to its close."""

from __future__ import annotations

import enum
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio

from rustok_daemon.telemetry.logs import get_logger

from . import problems, target
from .body import Body, ChunkedBody, LengthBody, too_large
from .errors import ClientDisconnected, Refused, TimedOut, Woken
from .exchange import Exchange
from .head import CHUNKED, Head, HeadReader
from .peer import describe
from .protocol import SPEC, Scope
from .response import Response, WholeResponse
from .websocket import WebSocketSession, is_websocket
from .wire import Wire

if TYPE_CHECKING:
    from .server import Server

_log = get_logger(actor="asgi")


class Phase(enum.Enum):
    """What a connection is about."""

    IDLE = "idle"
    BUSY = "busy"
    CLOSING = "closing"


class Connection:
    """Reads heads, calls the application for each, in its own task, and keeps the order."""

    __slots__ = ("_common", "_exchange", "_head", "_reader", "_server", "_session", "phase", "wire")

    def __init__(self, server: Server, sock: socket.socket, address: Any) -> None:
        self._server = server
        self._reader = HeadReader(server.limits.max_head)
        self._common = describe(sock, address)
        self._head: Head | None = None
        self._exchange: Exchange | None = None
        self._session: WebSocketSession | None = None
        self.wire = Wire(sock, server.clock)
        self.phase = Phase.IDLE

    async def run(self) -> None:
        """Serves until either side has had enough. Raises nothing but cancellation."""
        try:
            await self._converse()
            await self.wire.settle()
        except Refused as refused:
            await self._settle()
            self._answer(refused)
            await self._linger()
        except (ClientDisconnected, TimedOut, Woken):
            pass
        except Exception as error:
            _log.error("a connection failed", exc_info=error)
        finally:
            self.wire.close()

    async def refuse_for_room(self) -> None:
        """Answers 503 to a connection beyond the limit and closes it."""
        try:
            self._answer(problems.full())
            await self._linger()
        finally:
            self.wire.close()

    def refuse_at_once(self) -> None:
        """As ``refuse_for_room``, in the hope that the client reads fast: there are too many to wait for each."""
        self._answer(problems.full())
        with suppress(ClientDisconnected):
            self.wire.poll()
        self.wire.close()

    @property
    def doing(self) -> str:
        """The request in hand, for a person."""
        head = self._head
        return "an unfinished head" if head is None else f"{head.method} {head.target.decode('ascii')}"

    def drain(self) -> None:
        """Ends an idle connection, lets a busy one finish, asks a WebSocket to close."""
        if self.phase is Phase.IDLE:
            self.wire.wake()
        elif self._session is not None:
            self._session.drain()
        elif self._exchange is not None:
            self._exchange.response.keep_alive = False

    def _answer(self, refused: Refused) -> None:
        self._server.note_refusal(refused)
        with_body = self._head is None or self._head.method != "HEAD"
        self.wire.write_now(problems.encode(refused, self._server.clock.date, with_body=with_body))

    async def _converse(self) -> None:
        while (head := await self._next_head()) is not None and await self._serve(head):
            self.phase = Phase.IDLE

    async def _next_head(self) -> Head | None:
        """The next request, or ``None`` at the end. Raises ``Refused``, ``TimedOut`` if none even begins."""
        wire = self.wire
        server = self._server
        if wire.position == len(wire.buffer):
            wire.put_back(b"")
            await self._read_next()
            if server.draining:
                # A request that was already on its way when the drain began is still answered.
                wire.poll()
            if not wire.buffer:
                return None
        self.phase = Phase.BUSY
        self._head = None
        head = self._reader.read(wire.buffer, wire.position) or await self._rest_of_head()
        wire.position = self._reader.end
        return head

    async def _read_next(self) -> None:
        """Waits for the next request, unless the server drains."""
        wire = self.wire
        while not self._server.draining:
            try:
                wire.buffer = await wire.read(self._server.clock.idle)
            except Woken:
                await wire.settle()
            else:
                return

    async def _rest_of_head(self) -> Head:
        deadline = self._server.clock.head
        wire = self.wire
        while True:
            try:
                if not await wire.read_ahead(deadline):
                    raise problems.incomplete()
            except TimedOut:
                raise problems.too_slow() from None
            except Woken:  # the answer before this request did not fit into the kernel's buffer
                await wire.settle()
                continue
            head = self._reader.read(wire.buffer, wire.position)
            if head is not None:
                return head

    async def _serve(self, head: Head) -> bool:
        """Has one request answered; whether another may follow."""
        self._head = head
        scope = self._scope(head)
        if head.upgrade and is_websocket(head):
            await self.wire.settle()
            await self._serve_websocket(head, scope)
            return False
        body = self._body(head, scope) if head.length else None
        server = self._server
        if body is None and server.at_once is not None and (response := server.at_once(scope)) is not None:
            return await self._answer_at_once(head, response)
        await self.wire.settle()
        exchange = Exchange(self.wire, server.clock, head, body, head.keep_alive and not server.draining)
        self._exchange = exchange
        server.stats.requests += 1
        failure: Exception | None = None
        try:
            await server.app(scope, exchange.receive, exchange.send)
        except Exception as error:
            failure = error
        if failure is None and body is None and exchange.complete and exchange.response.keep_alive:
            return True
        return await self._conclude(exchange, scope, failure)

    async def _answer_at_once(self, head: Head, whole: WholeResponse) -> bool:
        """Whether another request may follow. One answer a tick: who sends many requests ahead gets no more than others."""
        server = self._server
        server.stats.requests += 1
        response = Response(head, head.keep_alive and not server.draining)
        response.start(whole.status, whole.fields)
        before, body, _ = response.frame(whole.body, False, server.clock.date)
        if self.wire.queued:
            await trio.lowlevel.cancel_shielded_checkpoint()
            await self.wire.settle()
        server.outbox.put(self.wire, before + body)
        if response.keep_alive:
            return True
        await self.wire.settle()
        if self.wire.unread:
            await self._linger()
        return False

    async def _settle(self) -> None:
        """As far as the client lets us."""
        with suppress(ClientDisconnected):
            await self.wire.settle()

    def _scope(self, head: Head) -> Scope:
        path, raw_path, query = target.split(head.target, head.headers)
        client, local, extensions = self._common
        return {
            "type": "http",
            "asgi": SPEC.copy(),
            "http_version": head.version,
            "method": head.method,
            "scheme": "http",
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": head.headers,
            "client": client,
            "server": local,
            "extensions": extensions.copy(),
        }

    def _body(self, head: Head, scope: Scope) -> Body:
        """How the body is framed. Raises ``Refused`` at once for one that says it is too large."""
        body_limit = self._server.body_limit
        limit = self._server.limits.max_body if body_limit is None else body_limit(scope)
        if head.length == CHUNKED:
            return ChunkedBody(limit)
        if limit is not None and head.length > limit:
            raise too_large(limit)
        return LengthBody(head.length)

    async def _conclude(self, exchange: Exchange, scope: Scope, failure: Exception | None) -> bool:
        """Makes the best of a response that is not simply complete; whether another request may follow."""
        failure = exchange.violation or failure
        if failure is not None and not exchange.abandoned:
            _log.error("the application failed", method=scope["method"], path=scope["path"], exc_info=failure)
        if exchange.complete:
            if exchange.response.keep_alive and await exchange.discard():
                return True
        elif not exchange.abandoned:
            if failure is None:
                _log.error("the application ended without a whole response", method=scope["method"], path=scope["path"])
            exchange.refuse(problems.failed())
        if exchange.complete or not exchange.response.begun:
            if exchange.refused is not None and not exchange.complete:
                self._server.note_refusal(exchange.refused)
            if exchange.leaves_unread:
                await self._linger()
        else:
            self._server.stats.cut += 1
            self.wire.reset_on_close()
        return False

    async def _serve_websocket(self, head: Head, scope: Scope) -> None:
        self._session = WebSocketSession(self.wire, self._server, head)
        self._server.stats.websockets += 1
        await self._session.run(scope)
        await self._linger()

    async def _linger(self) -> None:
        """Lets the client read what was said: a close with bytes unread would be a reset, and take it away."""
        self.phase = Phase.CLOSING
        self.wire.shut_writing()
        deadline = self._server.clock.close
        with suppress(TimedOut, ClientDisconnected, Woken):
            while await self.wire.read(deadline):
                pass
