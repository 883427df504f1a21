"""Probes, ``/metrics`` and the documents: what is open to everyone."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import trio
from prometheus_client import CollectorRegistry, generate_latest

from rustok_daemon import __version__
from rustok_daemon.api.call import Call, Reply
from rustok_daemon.declarations import Route

from .desk import Desk
from .health import Modules, Readiness

METRICS_PATH = "/metrics"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>rustok-daemon</title><style>:root{color-scheme:light dark}
body{font:16px/1.6 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem}</style>
<h1>rustok-daemon</h1><p>The platform's background daemon.</p>
<ul><li><a href="/docs">API</a><li><a href="/health/ready">readiness</a><li><a href="/health/modules">modules</a>
<li><a href="/metrics">metrics</a></ul></html>"""


class App(msgspec.Struct, frozen=True):
    """RusToK's ``/health``."""

    status: str
    app: str
    version: str


class Ok(msgspec.Struct, frozen=True):
    """Loco's probes."""

    ok: bool


async def health(call: Call) -> App:
    return App("ok", "rustok", __version__)


async def ready(call: Call) -> Reply:
    readiness = await call.view(Desk).health.readiness()
    return Reply(status=503 if readiness.status == "unhealthy" else 200, body=readiness)


async def modules(call: Call) -> Modules:
    return await call.view(Desk).health.modules()


async def ping(call: Call) -> Ok:
    return Ok(True)


async def loco_readiness(call: Call) -> Reply:
    good = await call.view(Desk).health.dependencies_answer()
    return Reply(status=200 if good else 503, body=Ok(good))


async def metrics(call: Call) -> Reply:
    """In a thread: writing out thousands of series must not hold up requests."""
    registry = call.view(CollectorRegistry)
    content = await trio.to_thread.run_sync(generate_latest, registry)
    return Reply(body=content, content_type=METRICS_TYPE)


async def openapi_json(call: Call) -> Reply:
    return Reply(body=call.view(Desk).documents.openapi)


async def docs(call: Call) -> Reply:
    return _html(call.view(Desk).documents.page)


async def root(call: Call) -> Reply:
    return _html(PAGE)


def _html(content: bytes) -> Reply:
    """A page that may load nothing, run nothing and stand in no frame."""
    return Reply(body=content, content_type="text/html; charset=utf-8", headers=_PAGE_HEADERS)


_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_OPEN = partial(Route, method="GET", scope=None, tag="health")
ROUTES = (
    _OPEN(path="/health", handler=health, summary="Name and version", returns=App),
    _OPEN(path="/health/ready", handler=ready, summary="Ready for traffic?", returns=Readiness, other_statuses=(503,)),
    _OPEN(path="/health/modules", handler=modules, summary="The actors' own word", returns=Modules),
    _OPEN(path="/_ping", handler=ping, summary="The process answers", returns=Ok),
    _OPEN(path="/_health", handler=ping, summary="The process answers", returns=Ok),
    _OPEN(
        path="/_readiness",
        handler=loco_readiness,
        summary="Database and Redis answer",
        returns=Ok,
        other_statuses=(503,),
    ),
    _OPEN(path=METRICS_PATH, handler=metrics, summary="Prometheus text", returns=bytes, tag="metrics"),
    _OPEN(path="/openapi.json", handler=openapi_json, summary="This document", returns=dict[str, Any], tag="documents"),
    _OPEN(path="/docs", handler=docs, summary="This document, to read", returns=bytes, tag="documents"),
    _OPEN(path="/", handler=root, summary="The operator's page", returns=bytes, tag="documents"),
)
