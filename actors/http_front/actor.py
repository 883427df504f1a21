"""The child that serves the API."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Self

import msgspec
import trio
from prometheus_client import CollectorRegistry

from rustok_daemon.api.application import Application, surroundings_of
from rustok_daemon.api.authentication import TokenDirectory
from rustok_daemon.api.clashes import check_routes
from rustok_daemon.api.errors import BadRoute
from rustok_daemon.api.limits import limits
from rustok_daemon.api.metrics import HttpMetrics
from rustok_daemon.asgi import Server, serve
from rustok_daemon.config import Configuration, ConfigurationError
from rustok_daemon.config.sections import DaemonSettings, HttpSettings, TelemetrySettings
from rustok_daemon.declarations import Route
from rustok_daemon.lifecycle.assembly import collect
from rustok_daemon.lifecycle.descriptors import connections_that_fit
from rustok_daemon.lifecycle.messages import Drain, Drained
from rustok_daemon.lifecycle.resources import Collected, HttpApplication, ListeningSockets
from rustok_daemon.postgres.interface import Database
from rustok_daemon.redis import endpoint
from rustok_daemon.supervision.actor import Actor, receive

from .desk import Desk
from .documents import Documents
from .open_routes import METRICS_PATH
from .open_routes import ROUTES as OPEN_ROUTES
from .probes import HealthDesk
from .token_commands import COMMANDS
from .token_keeper import TokenKeeper
from .token_routes import ROUTES as TOKEN_ROUTES
from .token_sql import MIGRATIONS
from .tokens import TokenCache

_METRICS_SCOPE = "supervisor:read"


class HttpFrontSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the actor takes out of several sections. ``collected`` is among it so that new routes restart the front."""

    http: HttpSettings
    collected: Collected
    redis: bool
    metrics: bool
    token_file: Path
    token_name: str


class HttpFront(Actor[HttpFrontSettings]):
    """Serves every declared route on the lent sockets, and lends its application to the control room."""

    Settings = HttpFrontSettings
    routes = OPEN_ROUTES + TOKEN_ROUTES
    commands = COMMANDS
    migrations = MIGRATIONS

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> Self:
        """Raises ``ConfigurationError`` when two actors of the tree declare one route."""
        daemon = configuration.section(DaemonSettings)
        collected = collect(configuration)
        try:
            check_routes(collected.routes)
        except BadRoute as error:
            raise ConfigurationError([f"supervisor.children: {error}: leave one of the actors out"]) from error
        return cls(
            HttpFrontSettings(
                http=configuration.section(HttpSettings),
                collected=collected,
                redis=endpoint(configuration).url is not None,
                metrics=configuration.section(TelemetrySettings).metrics,
                token_file=daemon.data_dir / "token",
                token_name=_local_token_name(daemon),
            )
        )

    @classmethod
    def make_metrics(cls, registry: CollectorRegistry) -> HttpMetrics:
        return HttpMetrics.of(registry)

    async def setup(self) -> None:
        settings, context = self.settings, self.context
        database = context.view(Database)
        tokens = TokenCache(database)
        self._metrics: HttpMetrics = context.metrics
        self._keeper = TokenKeeper(tokens, database, settings.token_file, settings.token_name, context.log)
        self._health = HealthDesk(context, settings.collected.health_checks, redis=settings.redis)
        self._server: Server | None = None
        routes = _served(settings)
        self._application = Application(routes, surroundings_of(context, settings.http, self._metrics))
        context.publish(TokenDirectory, tokens)
        context.publish(Desk, Desk(health=self._health, tokens=tokens, documents=Documents(routes)))
        await self._keeper.prepare()
        context.publish(HttpApplication, self._application)

    async def background(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keeper.run)
            nursery.start_soon(self._health.run)
            self._server = await nursery.start(self._serve)
            self._metrics.watch_connections(self.context.id, self._connections)

    async def _serve(self, task_status: trio.TaskStatus[Server]) -> None:
        http = self.settings.http
        sockets = self.context.view(ListeningSockets).get().http
        allowed = limits(http, connections_that_fit(http.max_connections))
        refused = self._metrics.note_refused
        await serve(
            self._application,
            sockets,
            allowed,
            on_refused=lambda refusal: refused(refusal.status),
            at_once=self._application.at_once,
            task_status=task_status,
        )

    def _connections(self) -> int:
        return 0 if self._server is None else self._server.connections

    @receive(concurrent=1)
    async def on_drain(self, message: Drain) -> Drained:
        return Drained() if self._server is None else await self._server.drain(message.within)


def _served(settings: HttpFrontSettings) -> list[Route]:
    """What all actors declare; ``/metrics`` as the configuration wants it: open, with a token, or not at all."""
    routes = settings.collected.routes
    if not settings.metrics:
        return [route for route in routes if route.path != METRICS_PATH]
    if not settings.http.metrics_token:
        return list(routes)
    return [
        msgspec.structs.replace(route, scope=_METRICS_SCOPE) if route.path == METRICS_PATH else route
        for route in routes
    ]


def _local_token_name(daemon: DaemonSettings) -> str:
    """One for each data directory of each host: daemons that share a database do not take each other's token away."""
    place = f"{socket.gethostname()}:{daemon.data_dir.resolve()}"
    return f"local-{daemon.name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
