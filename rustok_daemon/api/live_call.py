"""A request that is being answered: what its handler sees of it, and the way its answer goes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from rustok_daemon.asgi import Fields, Message, Receive, Scope, Send, WholeResponse
from rustok_daemon.supervision.actor import ActorRef

from .authentication import Gate
from .call import Principal, Reach
from .errors import ClientLeft
from .forwarded import TrustedPeers, effective_host
from .identifiers import Field, Identifiers
from .metrics import HttpMetrics

ViewT = TypeVar("ViewT")
SectionT = TypeVar("SectionT", bound=msgspec.Struct)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What all calls of an application share."""

    gate: Gate
    reach: Reach
    trusted: TrustedPeers
    metrics: HttpMetrics
    identifiers: Identifiers


class LiveCall:
    """Implements ``call.Call`` and ``call.RawCall``. One is made for each request, so what few ask for is worked out late."""

    __slots__ = ("_identity", "_receive", "_surroundings", "body", "headers", "path", "principal", "query", "scope")

    def __init__(self, scope: Scope, receive: Receive, surroundings: Surroundings) -> None:
        self._receive = receive
        self._surroundings = surroundings
        self.scope = scope
        self.headers: Mapping[bytes, bytes] = dict(reversed(scope["headers"]))
        self.principal: Principal | None = None
        self.path: Mapping[str, str] = {}
        self.query: Any = None
        self.body: Any = None
        self._identity: tuple[Field, Field] | None = None

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def query_string(self) -> bytes:
        query: bytes = self.scope["query_string"]
        return query

    @property
    def all_headers(self) -> Sequence[tuple[bytes, bytes]]:
        headers: Sequence[tuple[bytes, bytes]] = self.scope["headers"]
        return headers

    @property
    def request_id(self) -> str:
        return self.identity[0][1].decode("ascii")

    @property
    def identity(self) -> tuple[Field, Field]:
        """The headers by which caller and log find each other."""
        if self._identity is None:
            self._identity = self._surroundings.identifiers.of(self.headers)
        return self._identity

    def identified(self, fields: Fields) -> Fields:
        """With the headers of ``identity``."""
        (_, request_id), (_, trace) = self.identity
        return fields.and_lines(b"x-request-id: %b\r\ntraceparent: %b\r\n" % (request_id, trace))

    @property
    def peer(self) -> str | None:
        client = self.scope["client"]
        return None if client is None else str(client[0])

    @property
    def host(self) -> str | None:
        peer = self.peer
        return effective_host(self.headers, peer is not None and peer in self._surroundings.trusted)

    def actor(self, id: str) -> ActorRef:
        return self._surroundings.reach.actor(id)

    def view(self, kind: type[ViewT]) -> ViewT:
        return self._surroundings.reach.view(kind)

    def settings(self, kind: type[SectionT]) -> SectionT:
        return self._surroundings.reach.settings(kind)

    async def raw_body(self) -> AsyncIterator[bytes]:
        """Raises ``ClientLeft``."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft("the client left before its request was whole")
            yield message.get("body", b"")
            more = message.get("more_body", False)

    async def whole_body(self) -> bytes:
        """Raises ``ClientLeft``. How much it may be is the server's to say."""
        return b"".join([part async for part in self.raw_body()])


class Answer:
    """The way out: adds the identifiers of the call and notes the status. ``status`` is 0 until the answer has begun."""

    __slots__ = ("_call", "_send", "status")

    def __init__(self, send: Send, call: LiveCall) -> None:
        self._send = send
        self._call = call
        self.status = 0

    async def send_raw(self, whole: WholeResponse) -> None:
        """The whole answer of a raw route."""
        self.status = whole.status
        fields = self._call.identified(whole.fields)
        await self._send({"type": "http.response.start", "status": whole.status, "headers": fields})
        await self._send({"type": "http.response.body", "body": whole.body})

    async def send(self, message: Message) -> None:
        """ASGI's ``send``, for HTTP."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), *self._call.identity]
            message = {"type": "http.response.start", "status": self.status, "headers": headers}
        await self._send(message)
