"""The handshake of a WebSocket: who may not enter is told why, as an ordinary answer."""

from __future__ import annotations

import time

from rustok_daemon.asgi import Message, Send

from .authentication import SUBPROTOCOL
from .call import Problem
from .live_call import Answer, LiveCall
from .responses import send_problem

_SWITCHED = 101


class Handshake:
    """The way out for the handler of a WebSocket. ``status`` is 0 until the handshake is over."""

    def __init__(self, send: Send, call: LiveCall) -> None:
        self._send = send
        self._call = call
        self._denial = Answer(self._send_denial, call)
        self._began = time.perf_counter()
        self.seconds = 0.0
        self.status = 0

    @property
    def done(self) -> bool:
        return self.status != 0

    async def send(self, message: Message) -> None:
        """ASGI's ``send``. A browser that sent its token as a subprotocol goes on only if that is what is chosen."""
        if message["type"] == "websocket.accept":
            self._end(_SWITCHED)
            headers = [*message.get("headers", ()), *self._call.identity]
            message = {
                **message,
                "subprotocol": message.get("subprotocol") or self._offered_token(),
                "headers": headers,
            }
        await self._send(message)

    async def deny(self, problem: Problem) -> None:
        """Answers with ``problem`` in place of a WebSocket."""
        self._end(problem.status)
        await send_problem(self._denial.send, problem, self._call.request_id)

    def _end(self, status: int) -> None:
        self.status = status
        self.seconds = time.perf_counter() - self._began

    def _offered_token(self) -> str | None:
        return next((name for name in self._call.scope["subprotocols"] if name.startswith(SUBPROTOCOL)), None)

    async def _send_denial(self, message: Message) -> None:
        await self._send({**message, "type": f"websocket.{message['type']}"})
