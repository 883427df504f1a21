"""Routes behind the real server, in a small tree, for the tests of this folder."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import trio
from prometheus_client import CollectorRegistry

from rustok_daemon.api.application import Application, surroundings_of
from rustok_daemon.api.authentication import TokenDirectory
from rustok_daemon.api.call import Principal
from rustok_daemon.api.errors import TokensUnavailable
from rustok_daemon.api.metrics import HttpMetrics
from rustok_daemon.asgi import Limits, serve
from rustok_daemon.config.sections import HttpSettings
from rustok_daemon.declarations import Route
from rustok_daemon.supervision.actor import Actor
from rustok_daemon.testing import Running, run_actor

ADMIN = "admin-token"
READER = "reader-token"
UNCHECKABLE = "uncheckable-token"


class FewTokens:
    """A directory of two tokens, and of one that only an unreachable database could know."""

    def __init__(self) -> None:
        self._known = {
            ADMIN.encode(): Principal("admin", frozenset({"admin"})),
            READER.encode(): Principal("reader", frozenset({"things:read"})),
        }

    def known(self, token: bytes) -> Principal | None:
        return self._known.get(token)

    async def verify(self, token: bytes) -> Principal | None:
        if token == UNCHECKABLE.encode():
            raise TokensUnavailable("the database cannot be asked", 3)
        return None


class FrontSettings(msgspec.Struct, frozen=True, kw_only=True):
    routes: Sequence[Route]
    http: HttpSettings
    limits: Limits
    listeners: Sequence[socket.socket]


class Front(Actor[FrontSettings]):
    """The least that can serve routes."""

    Settings = FrontSettings

    @classmethod
    def make_metrics(cls, registry: CollectorRegistry) -> HttpMetrics:
        return HttpMetrics.of(registry)

    async def background(self) -> None:
        surroundings = surroundings_of(self.context, self.settings.http, self.context.metrics)
        application = Application(self.settings.routes, surroundings)
        await serve(application, self.settings.listeners, self.settings.limits)


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What a test talks to."""

    port: int
    unix: Path
    metrics: HttpMetrics
    running: Running

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str | None = ADMIN, **options: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=10, **options)

    def unix_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(self.unix)), base_url="http://daemon", timeout=10
        )


@asynccontextmanager
async def serving(
    routes: Sequence[Route],
    directory: Path,
    *,
    http: HttpSettings | None = None,
    limits: Limits | None = None,
    tokens: TokenDirectory | None = None,
    resources: Mapping[type[Any], object] | None = None,
) -> AsyncIterator[Served]:
    """Serves ``routes`` on a TCP port and a unix socket below ``directory``."""
    unix = directory / "s"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(unix))
        local.listen()
        settings = FrontSettings(
            routes=tuple(routes),
            http=http or HttpSettings(),
            limits=limits or Limits(),
            listeners=(tcp, local),
        )
        lent = {TokenDirectory: tokens or FewTokens(), **(resources or {})}
        async with run_actor(Front(settings), id="front", resources=lent) as running:
            metrics = HttpMetrics.of(running.registry)
            yield Served(port=tcp.getsockname()[1], unix=unix, metrics=metrics, running=running)


async def raw_exchange(port: int, request: bytes) -> bytes:
    """Sends bytes and reads until the server closes or breaks off."""
    received = b""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(request)
        with suppress(trio.BrokenResourceError):
            await stream.send_eof()
        with suppress(trio.BrokenResourceError):
            async for part in stream:
                received += part
    return received


get = partial(Route, method="GET", summary="A test's", scope=None)
post = partial(Route, method="POST", summary="A test's", scope=None)
