"""All methods of one path: authentication, decoding, the handler, its answer, its problems and its metrics."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rustok_daemon.asgi import ClientDisconnected, Message, Receive, Scope, Send, WholeResponse
from rustok_daemon.declarations import Route
from rustok_daemon.telemetry.logs import get_logger

from . import problems
from .call import Problem
from .errors import ClientLeft
from .live_call import Answer, LiveCall, Surroundings
from .metrics import Series
from .operation import Operation
from .problems import ProblemType
from .responses import send_problem, send_whole, whole_problem
from .websocket import Handshake

_log = get_logger(actor="api")


async def _nothing_to_receive() -> Message:
    """A request that is answered at once has no body."""
    return {"type": "http.request", "body": b"", "more_body": False}


class Endpoint:
    """An ASGI application of its own."""

    def __init__(self, path: str, routes: Sequence[Route], surroundings: Surroundings) -> None:
        self._path = path
        self._surroundings = surroundings
        self._operations = {route.method: self._operation(route, route.method) for route in routes}
        for route in routes:
            if route.method == "GET" and "HEAD" not in self._operations:
                self._operations["HEAD"] = self._operation(route, "HEAD")

    def _operation(self, route: Route, method: str) -> Operation:
        return Operation(route, self._series(method), self._surroundings.gate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._shake_hands(LiveCall(scope, receive, self._surroundings), receive, send)
            return
        began = time.perf_counter()
        call = LiveCall(scope, receive, self._surroundings)
        answer = Answer(send, call)
        operation = self._operations.get(scope["method"])
        try:
            if operation is None:
                await self._answer_without_operation(call.method, answer)
                return
            if not operation.admits_at_once(call):
                await operation.admit(call)
            if operation.raw:
                await answer.send_raw(await operation.handler(call))
            else:
                await operation.answer(call, answer)
        except (ClientLeft, ClientDisconnected):
            pass
        except Exception as error:
            await self._explain(error, call, answer)
        finally:
            if answer.status:
                series = self._series(call.method) if operation is None else operation.series
                series.add(answer.status, time.perf_counter() - began)

    def at_once(self, scope: Scope) -> WholeResponse | None:
        """The answer, if it needs no waiting: the caller is known, and so is what is asked for. Raises nothing."""
        operation = self._operations.get(scope["method"])
        if operation is None or operation.at_once is None:
            return None
        began = time.perf_counter()
        call = LiveCall(scope, _nothing_to_receive, self._surroundings)
        if not operation.admits_at_once(call):
            return None
        try:
            whole = operation.at_once(call)
        except Exception as error:
            whole = whole_problem(self._problem(error, call), call.request_id)
        if whole is None:
            return None
        operation.series.add(whole.status, time.perf_counter() - began)
        return WholeResponse(whole.status, call.identified(whole.fields), whole.body)

    def _series(self, method: str) -> Series:
        return self._surroundings.metrics.series(method, self._path)

    async def _answer_without_operation(self, method: str, answer: Answer) -> None:
        allowed = ", ".join(sorted({*self._operations, "OPTIONS"} - {"WEBSOCKET"}))
        if not self._operations:
            raise Problem(404, ProblemType.NOT_FOUND, "there is nothing here; /openapi.json lists what there is")
        if method == "OPTIONS":
            await send_whole(answer.send, 204, "", None, [("Allow", allowed)])
            return
        detail = f"{method} is not possible here; {allowed} are"
        raise Problem(405, ProblemType.METHOD_NOT_ALLOWED, detail, headers={"Allow": allowed})

    async def _explain(self, error: Exception, call: LiveCall, answer: Answer) -> None:
        """Answers with a problem. Raises ``error`` itself when the answer has begun: all that is left is to cut it."""
        if answer.status:
            raise error
        await send_problem(answer.send, self._problem(error, call), call.request_id)

    def _problem(self, error: Exception, call: LiveCall) -> Problem:
        problem = problems.problem_for(error)
        if problem is None:
            _log.error("a request failed", path=self._path, request_id=call.request_id, exc_info=error)
            problem = problems.internal(call.request_id)
        return problem

    async def _shake_hands(self, call: LiveCall, receive: Receive, send: Send) -> None:
        handshake = Handshake(send, call)
        operation = self._operations.get("WEBSOCKET")
        try:
            if operation is None:
                raise Problem(404, ProblemType.NOT_FOUND, "there is no WebSocket here")
            await operation.admit(call)
            call.scope["state"] = {"rustok": call}
            await operation.handler(call.scope, receive, handshake.send)
        except ClientDisconnected:
            pass
        except Exception as error:
            if handshake.done:
                raise
            await handshake.deny(self._problem(error, call))
        finally:
            if handshake.status:
                self._series("WEBSOCKET").add(handshake.status, handshake.seconds)
