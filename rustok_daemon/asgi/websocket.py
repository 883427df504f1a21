"""One WebSocket: the ``receive`` and ``send`` of a ``websocket`` scope, over trio-websocket once it is accepted.

A handshake that the application turns down is an ordinary response, so trio-websocket sees only those that succeed.
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from typing import TYPE_CHECKING, Final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from rustok_daemon.telemetry.logs import get_logger

from . import problems
from .clock import NEVER
from .errors import ClientDisconnected, ProtocolMisuse, Refused, ResponseInvalid, Woken
from .exchange import Exchange
from .head import TOKEN, Head
from .protocol import Message, Scope
from .response import Fields
from .upgraded import UpgradedStream
from .wire import Wire

if TYPE_CHECKING:
    from .server import Server

_NORMAL: Final = 1000
_ABNORMAL: Final = 1006
_FAILED: Final = 1011
_GOING_AWAY: Final = 1001

_READ_AHEAD: Final = 64 << 10
_VERSION: Final = b"13"
_NAME = re.compile(TOKEN + rb"+")
_log = get_logger(actor="asgi")


class _State(enum.Enum):
    CONNECTING = enum.auto()
    OPEN = enum.auto()
    DENIED = enum.auto()
    CLOSED = enum.auto()


def is_websocket(head: Head) -> bool:
    """Whether the upgrade a request asks for is this one; others are ignored, as HTTP has it."""
    return head.method == "GET" and b"websocket" in {name.strip(b" \t") for name in head.upgrade.lower().split(b",")}


class Handshake:
    """What the client asks for (RFC 6455, section 4.2.1)."""

    def __init__(self, head: Head) -> None:
        """Raises ``Refused``: 400, or 426 for another version."""
        values: dict[bytes, list[bytes]] = {}
        for name, value in head.headers:
            values.setdefault(name, []).append(value)
        if values.get(b"sec-websocket-version") != [_VERSION]:
            detail = "the WebSocket version is 13"
            raise Refused(
                426, "upgrade-required", detail, ((b"sec-websocket-version", _VERSION), (b"upgrade", b"websocket"))
            )
        keys = values.get(b"sec-websocket-key", [])
        if len(keys) != 1 or not _is_key(keys[0]) or head.length:
            raise Refused(400, "bad-request", "the WebSocket handshake is malformed")
        offers = b",".join(values.get(b"sec-websocket-protocol", [])).split(b",")
        self.key = keys[0]
        self.subprotocols = [name.decode("ascii") for offer in offers if _NAME.fullmatch(name := offer.strip(b" \t"))]

    def encode(self) -> bytes:
        """The handshake as trio-websocket is to see it: checked by us, and without what does not concern it."""
        offers = f"Sec-WebSocket-Protocol: {', '.join(self.subprotocols)}\r\n".encode() if self.subprotocols else b""
        return (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n%b\r\n" % (self.key, offers)
        )


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False


class WebSocketSession:
    """Runs the application for one WebSocket and closes it in the end, whatever happened."""

    def __init__(self, wire: Wire, server: Server, head: Head) -> None:
        """Raises ``Refused``."""
        self._handshake = Handshake(head)
        self._wire = wire
        self._server = server
        self._limits = server.limits
        self._denial = Exchange(wire, server.clock, head, None, keep_alive=False)
        self._state = _State.CONNECTING
        self._announced = False
        self._watching = False
        self._answered = trio.Event()
        self._connection: WebSocketConnection | None = None
        self._nursery: trio.Nursery | None = None
        self._close_code: int | None = None
        self._close_reason = ""

    async def run(self, scope: Scope) -> None:
        """Calls the application until it is done with this WebSocket."""
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = "ws"
        scope["subprotocols"] = self._handshake.subprotocols
        scope["extensions"]["websocket.http.response"] = {}
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await self._server.app(scope, self.receive, self.send)
            except Exception as error:
                await self._failed(scope, error)
            else:
                await self._ended(scope)
            nursery.cancel_scope.cancel()

    def drain(self) -> None:
        """Asks the client to come back elsewhere; the application hears of it as a disconnection."""
        if self._state is _State.OPEN and self._nursery is not None:
            self._nursery.start_soon(self._close, _GOING_AWAY, "going away")

    async def receive(self) -> Message:
        """ASGI's ``receive``."""
        if not self._announced:
            self._announced = True
            return {"type": "websocket.connect"}
        if self._connection is None:
            await self._until_answered()
        if self._connection is None:
            return {"type": "websocket.disconnect", "code": _ABNORMAL, "reason": ""}
        try:
            message = await self._connection.get_message()
        except ConnectionClosed as closed:
            return self._disconnection(closed)
        if isinstance(message, str):
            return {"type": "websocket.receive", "bytes": None, "text": message}
        return {"type": "websocket.receive", "bytes": message, "text": None}

    async def send(self, message: Message) -> None:
        """ASGI's ``send``. Raises ``ClientDisconnected``, ``ResponseInvalid``, ``ProtocolMisuse``."""
        kind = message["type"]
        match self._state, kind:
            case _State.CONNECTING, "websocket.accept":
                await self._accept(message.get("subprotocol"), message.get("headers", ()))
            case _State.CONNECTING, "websocket.close":
                self._deny()
                self._denial.refuse(Refused(403, "forbidden", "the WebSocket was not accepted"))
            case (
                (_State.CONNECTING | _State.DENIED),
                ("websocket.http.response.start" | "websocket.http.response.body"),
            ):
                self._deny()
                await self._denial.send({**message, "type": kind.removeprefix("websocket.")})
            case _State.OPEN, "websocket.send":
                await self._send(message.get("bytes"), message.get("text"))
            case _State.OPEN, "websocket.close":
                await self._close(message.get("code", _NORMAL), message.get("reason") or "")
            case _State.CLOSED, ("websocket.send" | "websocket.close"):
                raise ClientDisconnected("the WebSocket is closed")
            case _:
                raise ProtocolMisuse(f"{kind} cannot be sent here")

    async def _accept(self, subprotocol: str | None, headers: list[tuple[bytes, bytes]]) -> None:
        if subprotocol is not None and subprotocol not in self._handshake.subprotocols:
            raise ResponseInvalid(f"the client did not offer the subprotocol {subprotocol!r}")
        headers = list(headers)
        Fields(headers)
        assert self._nursery is not None
        self._wire.watch_for_silence()
        if self._watching:
            self._wire.wake()
        stream = UpgradedStream(self._wire, self._handshake.encode())
        request = await wrap_server_stream(
            self._nursery,
            stream,
            max_message_size=self._limits.max_message,
            receive_buffer_size=64 << 10,
        )
        try:
            self._connection = await request.accept(subprotocol=subprotocol, extra_headers=headers)
        except ConnectionClosed:
            self._state = _State.CLOSED
            raise ClientDisconnected("the client is gone") from None
        self._state = _State.OPEN
        self._answered.set()
        stream.open()
        if self._server.draining:
            self.drain()

    def _deny(self) -> None:
        self._state = _State.DENIED
        self._answered.set()
        if self._watching:
            self._wire.wake()

    async def _send(self, data: bytes | None, text: str | None) -> None:
        if (data is None) == (text is None):
            raise ProtocolMisuse("a WebSocket message is either bytes or text")
        assert self._connection is not None
        try:
            await self._connection.send_message(data if text is None else text)  # type: ignore[arg-type]
        except ConnectionClosed:
            self._state = _State.CLOSED
            raise ClientDisconnected("the WebSocket is closed") from None

    async def _close(self, code: int, reason: str) -> None:
        if not 1000 <= code <= 4999:
            raise ResponseInvalid(f"{code!r} is not a close code")
        assert self._connection is not None
        if self._state is _State.OPEN:
            self._state = _State.CLOSED
            if self._connection.closed is None:
                self._close_code, self._close_reason = code, reason
            with trio.move_on_after(self._limits.close_timeout):
                await self._connection.aclose(code, reason or None)

    def _disconnection(self, closed: ConnectionClosed) -> Message:
        self._state = _State.CLOSED
        code, reason = self._close_code, self._close_reason
        if code is None:
            code = closed.reason.code if closed.reason else _ABNORMAL
            reason = (closed.reason.reason if closed.reason else None) or ""
        return {"type": "websocket.disconnect", "code": int(code), "reason": reason}

    async def _until_answered(self) -> None:
        """Until the client goes, or another task has accepted or denied."""
        wire = self._wire
        self._watching = True
        try:
            while self._state is _State.CONNECTING and not wire.eof and wire.unread < _READ_AHEAD:
                await wire.read_ahead(NEVER)
            self._denial.disconnected = wire.eof
        except ClientDisconnected:
            self._denial.disconnected = True
        except Woken:
            await self._answered.wait()
        finally:
            self._watching = False
        if self._state is _State.CONNECTING and wire.unread >= _READ_AHEAD:
            await self._answered.wait()

    async def _failed(self, scope: Scope, error: Exception) -> None:
        if not isinstance(error, ClientDisconnected):
            _log.error("the application failed", websocket=scope["path"], exc_info=error)
        await self._finish(_FAILED, "internal error")

    async def _ended(self, scope: Scope) -> None:
        denial = self._denial
        unanswered = self._connection is None and not (denial.complete or denial.disconnected)
        if unanswered:
            _log.error("the application neither accepted nor denied", websocket=scope["path"])
        await self._finish(_NORMAL, "")

    async def _finish(self, code: int, reason: str) -> None:
        if self._state is _State.OPEN:
            await self._close(code, reason)
        elif self._connection is None:
            if not self._denial.complete and not self._denial.disconnected:
                self._denial.refuse(problems.failed())
            if self._denial.refused is not None:
                self._server.note_refusal(self._denial.refused)
