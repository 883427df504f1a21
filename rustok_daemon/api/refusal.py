"""An application that has one answer to everything."""

from __future__ import annotations

import time
from collections.abc import Callable

from rustok_daemon.asgi import Receive, Scope, Send

from .call import Problem
from .live_call import Answer, LiveCall, Surroundings
from .metrics import UNMATCHED
from .responses import send_problem
from .websocket import Handshake


class Refusal:
    """Answers every request, and every WebSocket, with the problem that ``why`` makes."""

    def __init__(self, why: Callable[[], Problem], surroundings: Surroundings) -> None:
        self._why = why
        self._surroundings = surroundings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        call = LiveCall(scope, receive, self._surroundings)
        problem = self._why()
        if scope["type"] == "websocket":
            await Handshake(send, call).deny(problem)
            return
        await send_problem(Answer(send, call).send, problem, call.request_id)
        series = self._surroundings.metrics.series(call.method, UNMATCHED)
        series.add(problem.status, time.perf_counter() - began)
