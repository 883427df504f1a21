"""The child that keeps the connection to Postgres: pool, migrations, and the word whether it is there."""

from __future__ import annotations

from typing import Any, Self

import msgspec
import trio
from prometheus_client import CollectorRegistry

from rustok_daemon.asyncio_side import Side
from rustok_daemon.config import Configuration
from rustok_daemon.config.sections import DaemonSettings, DatabaseSettings
from rustok_daemon.declarations import Health, HealthCheck, Migration, Seed
from rustok_daemon.lifecycle.assembly import collect
from rustok_daemon.supervision.actor import Actor, receive
from rustok_daemon.supervision.errors import FatalExit, ReplyError

from . import migrations
from .binaries import CONFIGURATION
from .commands import COMMANDS, url_of
from .errors import DatabaseError, Unusable
from .interface import Database
from .messages import MigrateNow, SchemaStatus, SeedNow, TruncateNow
from .metrics import DatabaseMetrics
from .pool import Pool, PoolHandle
from .routes import ROUTES
from .wire import Wire

_LOOK_EVERY = 1.0
_RETRY = (0.1, 2.0)
_PING_WITHIN = 2.0


class DatabaseActorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the actor takes out of several sections."""

    url: str
    database: DatabaseSettings
    application_name: str
    migrations: tuple[Migration, ...] = ()
    seeds: tuple[Seed, ...] = ()
    """What ``db seed`` runs; ``seed``: also at the start."""
    seed: bool
    production: bool


class DatabaseCommandFailed(ReplyError):
    """A migration, seed or truncation that was asked for did not happen."""


class DatabaseActor(Actor[DatabaseActorSettings]):
    """Publishes ``Database``. A server that is down, at boot or later, is ``degraded`` and retried, never a crash."""

    Settings = DatabaseActorSettings
    routes = ROUTES
    commands = COMMANDS
    health_checks = (HealthCheck(slug="database", name="Database", critical=True),)

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> Self:
        daemon = configuration.section(DaemonSettings)
        collected = collect(configuration)
        return cls(
            DatabaseActorSettings(
                url=url_of(configuration),
                database=configuration.section(DatabaseSettings),
                application_name=f"rustok-daemon {daemon.name}",
                migrations=collected.migrations,
                seeds=collected.seeds,
                seed=configuration.environment == "development",
                production=configuration.environment == "production",
            )
        )

    @classmethod
    def make_metrics(cls, registry: CollectorRegistry) -> DatabaseMetrics:
        return DatabaseMetrics(registry)

    async def setup(self) -> None:
        settings = self.settings.database
        self._side = self.context.view(Side).get()
        self._wire = Wire(
            self.settings.url,
            min_size=settings.min_size,
            max_size=settings.max_size,
            statement_timeout=settings.statement_timeout,
            name=self.settings.application_name,
        )
        await self._side.run(self._wire.open)
        metrics: DatabaseMetrics = self.context.metrics
        metrics.sizes = self._wire.sizes
        self._pool = Pool(self._side, self._wire, metrics, settings.statement_timeout)
        self._handle = PoolHandle(self._pool)
        self._why = "not connected yet"
        self._migrated: tuple[Migration, ...] | None = None
        """The steps that were seen through; a reload may bring others."""
        self.context.publish(Database, self._handle)
        await self._try_once()

    async def background(self) -> None:
        """Looks every second, and at once when a call found the server gone."""
        delay = _RETRY[0]
        while True:
            if self._pool.available:
                with trio.move_on_after(_LOOK_EVERY):
                    await self._pool.suspected.wait()
                delay = _RETRY[0]
            else:
                await trio.sleep(delay)
                delay = min(_RETRY[1], delay * 2)
            await self._try_once()

    async def teardown(self) -> None:
        wire: Wire | None = getattr(self, "_wire", None)
        if wire is not None and not self._side.ended.is_set():
            await self._side.run(wire.close)

    def reconfigure(self, settings: DatabaseActorSettings) -> bool:
        """New steps of the schema are taken by the way; a pool is made anew."""
        same = msgspec.structs.replace(settings, migrations=self.settings.migrations, seeds=self.settings.seeds)
        if same != self.settings:
            return False
        self._pool.suspect()
        return True

    def health(self) -> Health:
        if self._pool.available:
            return Health()
        return Health(status="unhealthy", reason=self._why)

    # -- the connection ------------------------------------------------------------------------------------------

    async def _try_once(self) -> None:
        self._pool.suspected = trio.Event()
        try:
            if self._migrated is not self.settings.migrations:
                await self._first_connection()
            await self._handle.ping(within=_PING_WITHIN)
        except Unusable as error:
            raise FatalExit(CONFIGURATION, f"database: {error}") from error
        except DatabaseError as error:
            self._lost(error)
        else:
            self._found()

    async def _first_connection(self) -> None:
        steps = self.settings.migrations
        if self.settings.database.migrate:
            for id in await self._on_connection(migrations.migrate, steps):
                self.context.log.info("migrated", migration=id)
        else:
            await self._on_connection(migrations.check, steps)
        if self.settings.seed:
            await self._on_connection(migrations.seed, self.settings.seeds)
        self._migrated = steps
        await self._side.run(self._wire.warm, _PING_WITHIN)

    def _lost(self, error: DatabaseError) -> None:
        self._why = str(error)
        self._pool.available = False
        self.context.degraded(f"Postgres is not available: {error}")

    def _found(self) -> None:
        self._pool.available = True
        self.context.recovered()

    async def _on_connection(self, function: Any, *args: object) -> Any:
        """Runs ``function(connection, …)`` on a connection of its own, which is cut afterwards."""

        async def there() -> Any:
            connection = await self._wire.connect(statement_timeout="0")
            try:
                return await function(connection, *args)
            finally:
                connection.terminate()

        return await self._side.run(there)

    # -- what operators ask --------------------------------------------------------------------------------------

    @receive(concurrent=1)
    async def on_migrate(self, message: MigrateNow) -> list[str]:
        return list(await self._asked(migrations.migrate, self.settings.migrations))

    @receive(concurrent=1)
    async def on_seed(self, message: SeedNow) -> list[str]:
        return list(await self._asked(migrations.seed, self.settings.seeds))

    @receive(concurrent=1)
    async def on_truncate(self, message: TruncateNow) -> list[str]:
        if self.settings.production:
            raise DatabaseCommandFailed("db truncate is refused in production")
        return list(await self._asked(migrations.truncate))

    @receive(concurrent=1)
    async def on_status(self, message: SchemaStatus) -> list[migrations.MigrationStatus]:
        return list(await self._asked(migrations.status, self.settings.migrations))

    async def _asked(self, function: Any, *args: object) -> Any:
        try:
            return await self._on_connection(function, *args)
        except DatabaseError as error:
            raise DatabaseCommandFailed(str(error)) from error
