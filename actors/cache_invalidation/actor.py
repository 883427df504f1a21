"""The listener as a child of the tree."""

from __future__ import annotations

from typing import Any, Self

import msgspec
import trio
from prometheus_client import CollectorRegistry

from actors.messages import TenantDirectory
from rustok_daemon.asyncio_side import Side
from rustok_daemon.config import Configuration
from rustok_daemon.config.sections import RedisSettings
from rustok_daemon.config.urls import redacted
from rustok_daemon.declarations import Health, HealthCheck
from rustok_daemon.lifecycle import exit_codes
from rustok_daemon.postgres.interface import Database
from rustok_daemon.redis import Endpoint, Redis, RedisUnsupported, endpoint
from rustok_daemon.redis.client import open_redis
from rustok_daemon.redis.commands import COMMANDS
from rustok_daemon.supervision.actor import Actor
from rustok_daemon.supervision.errors import FatalExit, unwrap

from .channel import Channel, Status
from .invalidator import Invalidator
from .metrics import ListenerMetrics
from .postgres_listener import PostgresListener
from .publisher import Publisher
from .redis_listener import RedisListener
from .sql import TRIGGERS

_READY_WITHIN = 2.0


class ListenerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the listener takes from ``[redis]`` and its surroundings; it has no section of its own."""

    redis: Endpoint
    redis_timeout: float


class CacheInvalidation(Actor[ListenerSettings]):
    """Hears of every change to a tenant, through Postgres and through Redis, and tells the resolver's cache at once."""

    Settings = ListenerSettings
    commands = COMMANDS
    migrations = (TRIGGERS,)
    health_checks = (HealthCheck(slug="cache_invalidation", name="Cache invalidation"),)
    ready_when_set_up = False

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> Self:
        timeout = configuration.section(RedisSettings).timeout
        return cls(ListenerSettings(redis=endpoint(configuration), redis_timeout=timeout))

    @classmethod
    def make_metrics(cls, registry: CollectorRegistry) -> ListenerMetrics:
        metrics = ListenerMetrics()
        registry.register(metrics)
        return metrics

    async def setup(self) -> None:
        redis = self.settings.redis
        self._metrics: ListenerMetrics = self.context.metrics
        self._metrics.postgres.starting()
        if redis.url is None:
            self.context.log.info("working without Redis", reason=redis.source)
            self._metrics.redis.off(redis.source)
        else:
            self.context.log.info("working with Redis", url=redacted(redis.url.reveal()), source=redis.source)
            self._metrics.redis.starting()
        self._invalidator = Invalidator(self.context.view(TenantDirectory), self.context.actor("tenant_resolver"))

    async def background(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._say_ready)
            nursery.start_soon(self._listen)

    async def _say_ready(self) -> None:
        """Once every channel is heard or known to be lost: what the resolver loads before that has to be read again."""
        channels = (self._metrics.postgres, self._metrics.redis)
        with trio.move_on_after(_READY_WITHIN):
            for channel in channels:
                await channel.started.wait()
        self.context.ready()

    async def _listen(self) -> None:
        if self.settings.redis.url is None:
            await self._postgres_listener(None).run()
            return
        try:
            await self._listen_to_both(self.settings.redis.url.reveal())
        except Exception as error:
            cause = unwrap(error)
            if isinstance(cause, RedisUnsupported):
                raise FatalExit(exit_codes.CONFIGURATION, f"{self.settings.redis.source}: {cause}") from error
            raise

    async def _listen_to_both(self, url: str) -> None:
        side = self.context.view(Side).get()
        async with open_redis(side, url, self.settings.redis_timeout) as redis, trio.open_nursery() as nursery:
            self.context.publish(Redis, redis)
            publisher = Publisher(redis, self.context.view(Database), self._metrics, self.context.log)
            nursery.start_soon(publisher.run)
            nursery.start_soon(self._postgres_listener(publisher).run)
            nursery.start_soon(self._redis_listener(redis).run)

    def _postgres_listener(self, publisher: Publisher | None) -> PostgresListener:
        database = self.context.view(Database)
        channel = self._metrics.postgres
        return PostgresListener(database, channel, self._invalidator, publisher, self._report, self.context.log)

    def _redis_listener(self, redis: Redis) -> RedisListener:
        channel, database = self._metrics.redis, self._metrics.postgres
        return RedisListener(redis, channel, database, self._invalidator, self._report, self.context.log)

    def _report(self) -> None:
        reason = self._degraded_reason()
        if reason is None:
            self.context.recovered()
        else:
            self.context.degraded(reason)

    def _degraded_reason(self) -> str | None:
        degraded = filter(_is_degraded, (self._metrics.postgres, self._metrics.redis))
        return "; ".join(f"{channel.name}: {channel.reason}" for channel in degraded) or None

    def health(self) -> Health:
        """The state and the position of both channels: what was read from a channel has been applied here."""
        reason = self._degraded_reason()
        details: dict[str, Any] = {
            channel.name: channel.details() for channel in (self._metrics.postgres, self._metrics.redis)
        }
        return Health(status="degraded" if reason else "healthy", reason=reason, details=details)


def _is_degraded(channel: Channel) -> bool:
    return channel.status is Status.DEGRADED
