"""One call of a route, as its handler sees it: decoded input, the caller, and the tree; no ASGI, no Starlette."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from ..supervision.actor import ActorRef

ViewT = TypeVar("ViewT")


class Principal(msgspec.Struct, frozen=True):
    """Who calls: a service token or a unix socket's peer. ``scopes`` holds ``admin`` for all."""

    name: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that needs more than 200 and JSON. ``body``: a struct (JSON), bytes, or a stream of bytes."""

    status: int = 200
    body: msgspec.Struct | bytes | AsyncIterator[bytes] | None = None
    headers: Mapping[str, str] = {}
    content_type: str = "application/json"


class Problem(Exception):
    """An error a client sees, as RFC 9457: ``type`` is ``urn:rustok:<name>``."""

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.field = field
        self.headers = dict(headers or {})
        self.members = members


class Call(Protocol):
    """What a ``Route.handler`` gets."""

    method: str
    path: Mapping[str, str]
    """The values of the template's names, percent-decoded."""
    query: Any
    body: Any
    headers: Mapping[str, str]
    """Lower-case names; of a repeated header the first value."""
    host: str | None
    """The effective host by the trust policy of ``[http.forwarded]``, not yet validated."""
    peer: str | None
    """The peer's IP address; ``None`` on the unix socket."""
    principal: Principal | None
    request_id: str

    def actor(self, id: str) -> ActorRef: ...

    def view(self, kind: type[ViewT]) -> ViewT:
        """The published view. Raises ``ActorUnavailable``, which becomes 503 with Retry-After."""

    def raw_body(self) -> AsyncIterator[bytes]: ...
