"""Who calls, and whether they may: service tokens, and the credentials of a unix socket's peer."""

from __future__ import annotations

import os
from typing import Protocol

from rustok_daemon.asgi import Scope
from rustok_daemon.supervision.actor import ViewRef

from .call import Principal, Problem
from .errors import TokensUnavailable
from .problems import ProblemType, unavailable

SUBPROTOCOL = "bearer."
"""Before the token in a subprotocol, where a browser's WebSocket has to put it."""
_LONGEST = 512
_BEARER = b"bearer "


class TokenDirectory(Protocol):
    """The view that knows the service tokens."""

    def known(self, token: bytes) -> Principal | None:
        """Whose token it is, as far as that can be told at once and without I/O."""

    async def verify(self, token: bytes) -> Principal | None:
        """Whose token it is; ``None``: nobody's. Raises ``TokensUnavailable``."""


class Gate:
    """Lets a request through to a route with a scope, or raises the ``Problem`` that says why not."""

    def __init__(self, tokens: ViewRef[TokenDirectory]) -> None:
        self._tokens = tokens
        self._own = {uid: Principal(f"uid:{uid}", frozenset({"admin"})) for uid in (0, os.geteuid())}

    def admit_known(self, scope: Scope, authorization: bytes | None, needed: str) -> Principal | None:
        """As ``admit``, as far as no I/O is needed; ``None``: ask ``admit``."""
        if scope["client"] is None and (peer := self.peer(scope)) is not None:
            return peer
        directory = self._tokens.current
        if directory is None or authorization is None or authorization[:7].lower() != _BEARER:
            return None
        principal = directory.known(authorization[7:])
        return principal if principal is not None and principal.may(needed) else None

    async def admit(self, scope: Scope, authorization: bytes | None, needed: str) -> Principal:
        """Raises ``Problem``: 401, 403, or 503 when the token is unknown here and the database cannot be asked."""
        peer = self.peer(scope)
        if peer is not None:
            return peer
        principal = await self._verified(_token(scope, authorization))
        if not principal.may(needed):
            challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
            raise Problem(
                403,
                ProblemType.FORBIDDEN,
                f"this token does not have the scope {needed}",
                headers={"WWW-Authenticate": challenge},
            )
        return principal

    def peer(self, scope: Scope) -> Principal | None:
        """On a unix socket the daemon's own user and root are admin; everybody else needs a token."""
        credentials = scope.get("extensions", {}).get("rustok.peer")
        return None if credentials is None else self._own.get(credentials["uid"])

    async def _verified(self, token: bytes) -> Principal:
        directory = self._tokens.current
        if directory is None:
            raise unavailable("tokens cannot be checked at present")
        try:
            principal = directory.known(token) or await directory.verify(token)
        except TokensUnavailable as error:
            raise unavailable(str(error), error.retry_after) from error
        if principal is None:
            raise _unauthorized("this token is not known", 'Bearer error="invalid_token"')
        return principal


def _token(scope: Scope, authorization: bytes | None) -> bytes:
    if authorization is None and scope["type"] == "websocket":
        offered = (name for name in scope["subprotocols"] if name.startswith(SUBPROTOCOL))
        authorization = _BEARER + next(offered, "").removeprefix(SUBPROTOCOL).encode()
    token = (authorization or b"")[len(_BEARER) :].strip()
    if authorization is None or not token or authorization[: len(_BEARER)].lower() != _BEARER:
        raise _unauthorized("send a service token: Authorization: Bearer …", "Bearer")
    if len(token) > _LONGEST:
        raise _unauthorized("this token is not known", 'Bearer error="invalid_token"')
    return token


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(401, ProblemType.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
