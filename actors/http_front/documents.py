"""``/openapi.json`` and ``/docs``: made when they are first asked for, since most daemons are never asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec

from rustok_daemon.api import docs_page, openapi
from rustok_daemon.declarations import Route


class Documents:
    """Of the routes that are served."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes

    @cached_property
    def openapi(self) -> bytes:
        return msgspec.json.encode(openapi.document(self._routes))

    @cached_property
    def page(self) -> bytes:
        return docs_page.page(msgspec.json.decode(self.openapi))
