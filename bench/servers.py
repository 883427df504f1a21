"""A Postgres and a Redis of their own for a daemon under measurement, which then starts none itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rustok_daemon.postgres import layout as postgres_layout
from rustok_daemon.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresSettings
from rustok_daemon.redis import EmbeddedRedis
from rustok_daemon.redis import layout as redis_layout
from rustok_daemon.redis.embedded import EmbeddedRedisSettings
from rustok_daemon.testing import run_actor


@asynccontextmanager
async def postgres(directory: Path) -> AsyncIterator[str]:
    """Gives its URL; the database is empty."""
    async with run_actor(EmbeddedPostgres(EmbeddedPostgresSettings(directory)), id="postgres", shutdown=20.0):
        yield postgres_layout.url(directory)


@asynccontextmanager
async def redis(directory: Path) -> AsyncIterator[str]:
    """Gives its URL."""
    async with run_actor(EmbeddedRedis(EmbeddedRedisSettings(directory)), id="redis"):
        yield redis_layout.url(directory)
