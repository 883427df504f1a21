"""Whether Redis is worth a second level of the tenant cache: GET beside a primary-key read through our own pool.

Both go the way a load goes, from trio through the asyncio thread, and end with the same fields. Ours is Postgres, the
way that was taken: what a second level could save is what Redis is faster by.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import trio
from redis.asyncio import Redis

from rustok_daemon.asyncio_side import Side, open_side
from rustok_daemon.telemetry.logs import configure

from .figures import Row, row
from .rounds import medians_async
from .servers import redis
from .tenants_table import TENANTS, Read, filled_postgres, open_pool, rate_on_trio, read_by

SECONDS = 0.6


def run() -> list[Row]:
    """One row for each number of reads in flight."""
    configure("warning", "console")
    return trio.run(_measure)


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        async with (
            open_side() as side,
            filled_postgres(Path(directory), side) as url,
            open_pool(side, url) as pool,
            _redis(side, Path(directory)) as from_redis,
        ):
            return [await _compared(read_by(pool), from_redis, in_flight) for in_flight in (1, 8)]


async def _compared(from_postgres: Read, from_redis: Read, in_flight: int) -> Row:
    rates = await medians_async(
        {
            "postgres": partial(rate_on_trio, from_postgres, in_flight, SECONDS),
            "redis": partial(rate_on_trio, from_redis, in_flight, SECONDS),
        }
    )
    figure = f"tenant by primary key, {in_flight} in flight"
    return row(figure, "reads/s", rates["postgres"], "GET from Redis", rates["redis"])


@asynccontextmanager
async def _redis(side: Side, directory: Path) -> AsyncIterator[Read]:
    async with redis(directory) as url:
        client = await side.run(_filled, url)
        get: Callable[[str], Awaitable[Any]] = client.get

        async def read(id: UUID) -> object:
            return msgspec.json.decode(await side.run(get, _key(id)))

        yield read
        await side.run(client.aclose)


async def _filled(url: str) -> Redis:
    client = Redis.from_url(url, protocol=2)
    async with client.pipeline() as pipeline:
        for n in range(1, TENANTS + 1):
            pipeline.set(_key(UUID(int=n)), _value(n))
        await pipeline.execute()
    return client


def _key(id: UUID) -> str:
    return f"tenant:v1:uuid:{id}"


def _value(n: int) -> bytes:
    return msgspec.json.encode(
        {
            "id": UUID(int=n),
            "name": f"Tenant {n}",
            "slug": f"t{n}",
            "domain": f"t{n}.example",
            "settings": {"theme": "dark"},
            "is_active": True,
            "default_locale": "en",
        }
    )
