"""Whether routes can be served together; told before anything is served."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rustok_daemon.declarations import Route

from .errors import BadRoute

_NAME = re.compile(r"\{[^}…]+")


def check_routes(routes: Iterable[Route]) -> None:
    """Raises ``BadRoute`` for two that answer the same request: one method, and paths that differ in names alone."""
    seen: dict[tuple[str, str], Route] = {}
    for route in routes:
        shape = (route.method, _NAME.sub("{", route.path))
        other = seen.setdefault(shape, route)
        if other is not route:
            as_what = "" if other.path == route.path else f", as {other.path} before"
            raise BadRoute(f"{route.method} {route.path} is declared twice{as_what}")
