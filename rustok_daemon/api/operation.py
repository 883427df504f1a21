"""One route, and what is worked out for it once: who may call it, how its input is read."""

from __future__ import annotations

from typing import Any

from rustok_daemon.declarations import Route

from .authentication import Gate
from .decoding import body_decoder, check_content_type, check_path, query_decoder
from .live_call import Answer, LiveCall
from .metrics import Series
from .responses import send_result


class Operation:
    """A method of a path. ``handler`` of a ``raw`` one gets the call undecoded and returns a ``WholeResponse``."""

    __slots__ = ("_decode_body", "_decode_query", "_gate", "_scope", "_status", "at_once", "handler", "raw", "series")

    def __init__(self, route: Route, series: Series, gate: Gate) -> None:
        self.handler: Any = route.handler
        self.raw = route.raw
        self.at_once = route.at_once
        self.series = series
        self._gate = gate
        self._scope = route.scope
        self._status = route.status
        self._decode_query = None if route.query is None or route.raw else query_decoder(route.query)
        self._decode_body = None if route.body is None or route.raw else body_decoder(route.body)

    def admits_at_once(self, call: LiveCall) -> bool:
        """Whether the caller may, as far as that can be told without I/O; otherwise ``admit`` has the answer."""
        if self._scope is None:
            return True
        call.principal = self._gate.admit_known(call.scope, call.headers.get(b"authorization"), self._scope)
        return call.principal is not None

    async def admit(self, call: LiveCall) -> None:
        """Raises ``Problem`` unless the caller has the route's scope."""
        if self._scope is not None:
            call.principal = await self._gate.admit(call.scope, call.headers.get(b"authorization"), self._scope)

    async def answer(self, call: LiveCall, answer: Answer) -> None:
        """Reads the input, calls the handler and sends what it returned. Raises what it raised, ``Problem``, ``ClientLeft``."""
        path = call.scope.get("path_params")
        if path:
            check_path(path)
            call.path = path
        if self._decode_query is not None:
            call.query = self._decode_query(call.scope["query_string"])
        if self._decode_body is not None:
            check_content_type(call.headers.get(b"content-type"))
            call.body = self._decode_body(await call.whole_body())
        result = await self.handler(call)
        await send_result(answer.send, result, self._status, silent=call.method == "HEAD")
