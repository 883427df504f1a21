"""Declared routes become one ASGI application: which request goes to which endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from starlette.routing import Route as StarletteRoute
from starlette.routing import Router, WebSocketRoute

from rustok_daemon.asgi import Application as Asgi
from rustok_daemon.asgi import Receive, Scope, Send, WholeResponse
from rustok_daemon.config.sections import HttpSettings
from rustok_daemon.declarations import Route
from rustok_daemon.supervision.actor import Context

from .authentication import Gate, TokenDirectory
from .clashes import check_routes
from .endpoint import Endpoint
from .forwarded import TrustedPeers
from .identifiers import Identifiers
from .live_call import Surroundings
from .metrics import UNMATCHED, HttpMetrics
from .reach import ContextReach


class Application:
    """Paths without names in them are found in a dictionary, and only the others by Starlette's router."""

    def __init__(self, routes: Sequence[Route], surroundings: Surroundings, otherwise: Asgi | None = None) -> None:
        """``otherwise`` gets what no route takes; without it that is 404. Raises ``BadRoute``."""
        by_path: dict[str, list[Route]] = {}
        check_routes(routes)
        for route in routes:
            by_path.setdefault(route.path, []).append(route)
        endpoints = {path: Endpoint(path, found, surroundings) for path, found in by_path.items()}
        self._exact = {path: endpoint for path, endpoint in endpoints.items() if "{" not in path}
        templates = sorted(endpoints.keys() - self._exact.keys(), key=_specific_first)
        self._router = Router(
            [route for path in templates for route in _starlette_routes(path, endpoints[path])],
            redirect_slashes=False,
            default=otherwise or Endpoint(UNMATCHED, (), surroundings),
        )

    def at_once(self, scope: Scope) -> WholeResponse | None:
        """For the server: see ``asgi.AtOnce``."""
        endpoint = self._exact.get(scope["path"])
        return None if endpoint is None else endpoint.at_once(scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._exact.get(scope["path"])
        if endpoint is not None:
            await endpoint(scope, receive, send)
        else:
            await self._router(scope, receive, send)


def surroundings_of(context: Context, http: HttpSettings, metrics: HttpMetrics) -> Surroundings:
    """For an application whose handlers reach the tree by ``context``."""
    return Surroundings(
        gate=Gate(context.view(TokenDirectory)),
        reach=ContextReach(context),
        trusted=TrustedPeers(http.forwarded.trusted),
        metrics=metrics,
        identifiers=Identifiers(),
    )


def _specific_first(path: str) -> tuple[tuple[int, str], ...]:
    """Of two templates that take the same path, the one that says more of it comes first: a word, a name, the rest."""
    return tuple(((2 if "…}" in part else 1) if "{" in part else 0, part) for part in path.split("/"))


def _starlette_routes(path: str, endpoint: Endpoint) -> Iterable[Any]:
    """``{key…}`` in a template takes slashes, too."""
    pattern = path.replace("…}", ":path}")
    yield StarletteRoute(pattern, endpoint)
    yield WebSocketRoute(pattern, endpoint)
