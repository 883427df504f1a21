"""The resolver as a child of the tree."""

from __future__ import annotations

from typing import Self

import msgspec
import trio
from prometheus_client import CollectorRegistry

from actors.identities import Identity
from actors.messages import Invalidated, TenantDirectory
from rustok_daemon.api.forwarded import TrustedPeers
from rustok_daemon.breaker import BreakerMetrics, CircuitBreaker, State
from rustok_daemon.config import Configuration
from rustok_daemon.config.sections import HttpSettings
from rustok_daemon.declarations import Health, HealthCheck
from rustok_daemon.postgres.interface import Database
from rustok_daemon.supervision.actor import Actor, receive

from . import part_routes, resolve_routes, schema, tenant_routes
from .commands import COMMANDS
from .desk import ResolveDesk
from .directory import Directory
from .identification import Identification
from .loader import Loader
from .metrics import ResolverMetrics
from .records import Module, TenantLocale, TenantRecord
from .settings import TenantSettings
from .writes import CreateTenant, DeleteTenant, InvalidateTenant, PutLocale, PutModule, UpdateTenant, Writer

_WRITES_AT_ONCE = 4


class Metrics(msgspec.Struct, frozen=True):
    """Kept over restarts."""

    cache: ResolverMetrics
    breaker: BreakerMetrics


class TenantResolver(Actor[TenantSettings]):
    """Publishes ``TenantDirectory``; starts empty, and so is never older than its channels."""

    section = "tenant"
    Settings = TenantSettings
    routes = resolve_routes.ROUTES + tenant_routes.ROUTES + part_routes.ROUTES
    commands = COMMANDS
    migrations = (schema.TABLES,)
    seeds = (schema.DEMO,)
    health_checks = (HealthCheck(slug="tenant_resolver", name="Tenant resolver"),)

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> Self:
        made = cls(configuration.section(TenantSettings))
        made.authorizers = TrustedPeers(configuration.section(HttpSettings).authorize_from)
        return made

    @classmethod
    def make_metrics(cls, registry: CollectorRegistry) -> Metrics:
        metrics = Metrics(ResolverMetrics(), BreakerMetrics.of(registry, "database"))
        registry.register(metrics.cache)
        return metrics

    authorizers = TrustedPeers(())

    async def setup(self) -> None:
        settings = self.settings
        database = self.context.view(Database)
        metrics: Metrics = self.context.metrics
        rule = settings.breaker
        self._breaker = CircuitBreaker(
            failures=rule.failures,
            successes=rule.successes,
            open_for=rule.open,
            probes=rule.probes,
            metrics=metrics.breaker,
        )
        loader = Loader(database, settings.load_timeout, self.context.log)
        self._directory = Directory(loader.load, settings, self._breaker, metrics.cache)
        metrics.cache.watch(self._directory.sizes)
        self._writer = Writer(database, self._directory, settings.default_id, self.context.log)
        self.context.publish(ResolveDesk, ResolveDesk(Identification(settings), self.authorizers))
        self.context.publish(TenantDirectory, self._directory)

    async def background(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._directory.run)
            nursery.start_soon(self._directory.recover, Identity("uuid", str(self.settings.default_id)))

    def health(self) -> Health:
        if self._breaker.state is State.CLOSED:
            return Health()
        state = self._breaker.state.name.lower().replace("_", " ")
        return Health(status="degraded", reason=f"the circuit breaker before the database is {state}")

    # -- messages ------------------------------------------------------------------------------------------------

    @receive
    def on_invalidated(self, message: Invalidated) -> None:
        """The view was bumped when the message was read; what is left is to count it."""
        counts = self.context.metrics.cache.invalidations
        counts[message.channel] = counts.get(message.channel, 0) + 1

    @receive(concurrent=_WRITES_AT_ONCE)
    async def on_create(self, message: CreateTenant) -> TenantRecord:
        return await self._writer.create(message.tenant)

    @receive(concurrent=_WRITES_AT_ONCE)
    async def on_update(self, message: UpdateTenant) -> TenantRecord:
        return await self._writer.update(message.id, message.patch)

    @receive(concurrent=_WRITES_AT_ONCE)
    async def on_delete(self, message: DeleteTenant) -> None:
        await self._writer.delete(message.id)

    @receive(concurrent=_WRITES_AT_ONCE)
    async def on_put_module(self, message: PutModule) -> Module:
        return await self._writer.put_module(message.tenant_id, message.slug, message.state)

    @receive(concurrent=_WRITES_AT_ONCE)
    async def on_put_locale(self, message: PutLocale) -> TenantLocale:
        return await self._writer.put_locale(message.tenant_id, message.locale, message.state)

    @receive(concurrent=_WRITES_AT_ONCE)
    async def on_invalidate(self, message: InvalidateTenant) -> bool:
        return await self._writer.invalidate(message.id)
