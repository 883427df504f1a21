"""One call of a route, as its handler sees it: decoded input, the caller, and the tree; no ASGI, no Starlette."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from rustok_daemon.supervision.actor import ActorRef

ViewT = TypeVar("ViewT")
SectionT = TypeVar("SectionT", bound=msgspec.Struct)


class Principal(msgspec.Struct, frozen=True):
    """Who calls: a service token or a unix socket's peer. ``scopes`` holds ``admin`` for all."""

    name: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that needs more than 200 and JSON. ``body``: what JSON can hold, bytes as they are, or a stream of them."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = {}
    content_type: str = "application/json"


class Problem(Exception):
    """An error a client sees, as RFC 9457: ``type`` is ``urn:rustok:<name>``.

    ``name`` is one of ``problems.ProblemType`` or of the route's own ``problem_types``; ``field`` names what in the input
    is wrong; ``members`` are further members of the document.
    """

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


class Reach(Protocol):
    """The tree, from a handler: views, actors, settings."""

    def actor(self, id: str) -> ActorRef: ...

    def view(self, kind: type[ViewT]) -> ViewT:
        """The published view. Raises ``ActorUnavailable``, which becomes 503 with Retry-After."""

    def settings(self, kind: type[SectionT]) -> SectionT:
        """The section in force."""


class RawCall(Reach, Protocol):
    """What the handler of a raw route gets."""

    @property
    def query_string(self) -> bytes: ...

    @property
    def all_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """As they came, repeated ones too; lower-case names."""

    @property
    def principal(self) -> Principal | None: ...

    @property
    def request_id(self) -> str: ...

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """Lower-case names; of a repeated header the first value."""

    @property
    def host(self) -> str | None:
        """The effective host by the trust policy of ``[http.forwarded]``, not yet validated."""

    @property
    def peer(self) -> str | None:
        """The peer's IP address; ``None`` on the unix socket."""


class Call(Reach, Protocol):
    """What a ``Route.handler`` gets."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> Mapping[str, str]:
        """The values of the template's names, percent-decoded."""

    @property
    def query(self) -> Any: ...

    @property
    def body(self) -> Any: ...

    @property
    def headers(self) -> Mapping[bytes, bytes]: ...

    @property
    def host(self) -> str | None: ...

    @property
    def peer(self) -> str | None: ...

    @property
    def principal(self) -> Principal | None: ...

    @property
    def request_id(self) -> str: ...

    def raw_body(self) -> AsyncIterator[bytes]:
        """The body as it arrives, for routes without ``Route.body``."""
