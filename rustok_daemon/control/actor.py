"""The child that keeps the unix socket."""

from __future__ import annotations

from functools import partial

import msgspec
import trio
from prometheus_client import CollectorRegistry

from rustok_daemon.api.application import Application, surroundings_of
from rustok_daemon.api.limits import limits
from rustok_daemon.api.metrics import HttpMetrics
from rustok_daemon.api.problems import unavailable
from rustok_daemon.api.refusal import Refusal
from rustok_daemon.asgi import Receive, Scope, Send, Server, serve
from rustok_daemon.config import Configuration
from rustok_daemon.config.sections import HttpSettings
from rustok_daemon.lifecycle.resources import HttpApplication, ListeningSockets, TreeControl
from rustok_daemon.supervision.actor import Actor
from rustok_daemon.telemetry.loop_watch import LoopWatch

from .routes import ROUTES
from .stalled import StallAnswers
from .stand_in import StandIn

_TREE_EVERY = 1.0
_MOST_CONNECTIONS = 256


class ControlSettings(msgspec.Struct, frozen=True):
    """It has none: a reload, which comes through this very actor, must not restart it."""


class Control(Actor[ControlSettings]):
    """Serves the unix socket for as long as the daemon lives, and TCP while http_front does not."""

    Settings = ControlSettings
    routes = ROUTES

    @classmethod
    def make_metrics(cls, registry: CollectorRegistry) -> HttpMetrics:
        return HttpMetrics.of(registry)

    async def setup(self) -> None:
        self._sockets = self.context.view(ListeningSockets).get()
        http = self.context.view(Configuration).get().section(HttpSettings)
        self._limits = limits(http, _MOST_CONNECTIONS)
        self._front = self.context.view(HttpApplication)
        metrics: HttpMetrics = self.context.metrics
        surroundings = surroundings_of(self.context, http, metrics)
        self._absent = Refusal(lambda: unavailable("http_front is not running at present"), surroundings)
        self._application = Application(ROUTES, surroundings, otherwise=self._lend)
        standing_in = limits(http, http.max_connections)
        self._stand_in = StandIn(self._application, self._front, self._sockets.http, standing_in)
        self._server: Server | None = None
        metrics.watch_connections(self.context.id, self._connections)

    async def background(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stand_in.run)
            nursery.start_soon(self._prepare_for_stalls)
            self._server = await nursery.start(partial(serve, self._application, [self._sockets.control], self._limits))

    async def _prepare_for_stalls(self) -> None:
        """Keeps a recent tree for the thread that answers when the loop does not."""
        watch = self.context.view(LoopWatch).current
        if watch is None:
            return
        answers = StallAnswers(self._sockets.control, watch)
        answers.start()
        try:
            while True:
                answers.tree = self.context.view(TreeControl).get().snapshot()
                await trio.sleep(_TREE_EVERY)
        finally:
            answers.stop()

    async def _lend(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is not ours is http_front's, while it is there."""
        await (self._front.current or self._absent)(scope, receive, send)

    def _connections(self) -> int:
        return self._stand_in.connections + (0 if self._server is None else self._server.connections)
