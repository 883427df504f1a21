"""A real Postgres with ten thousand tenants, and the read that a load of the resolver does."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import trio
from prometheus_client import CollectorRegistry

from rustok_daemon.asyncio_side import Side
from rustok_daemon.postgres.metrics import DatabaseMetrics
from rustok_daemon.postgres.pool import Pool, PoolHandle
from rustok_daemon.postgres.wire import Wire

from .servers import postgres

TENANTS = 10_000
CONNECTIONS = 8
SELECT = "select id, name, slug, domain, settings, is_active, default_locale from tenants where id = $1"
_FILL = f"""
create table tenants (
    id uuid primary key, name text, slug text, domain text, settings jsonb, is_active boolean, default_locale text
);
insert into tenants
select lpad(to_hex(n), 32, '0')::uuid, 'Tenant ' || n, 't' || n, 't' || n || '.example', '{{"theme": "dark"}}', true, 'en'
from generate_series(1, {TENANTS}) as n;
analyze tenants
"""

Read = Callable[[UUID], Awaitable[object]]


@asynccontextmanager
async def filled_postgres(directory: Path, side: Side) -> AsyncIterator[str]:
    """A server with the table in it; gives its URL."""
    async with postgres(directory) as url:
        await side.run(_fill, url)
        yield url


@asynccontextmanager
async def open_pool(side: Side, url: str) -> AsyncIterator[PoolHandle]:
    """Our own, as actors borrow it: bounded, measured, with reads that are repeated on a lost connection."""
    wire = Wire(url, min_size=CONNECTIONS, max_size=CONNECTIONS, statement_timeout=30.0, name="bench")
    await side.run(wire.open)
    await side.run(wire.warm, 5.0)
    yield PoolHandle(Pool(side, wire, DatabaseMetrics(CollectorRegistry()), 30.0))
    await side.run(wire.close)


def read_by(pool: PoolHandle) -> Read:
    """The read through that pool."""
    return lambda id: pool.fetchrow(SELECT, id, name="select tenants")


async def _fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(_FILL)
    await connection.close()


class Lanes:
    """So many readers in flight, each taking tenants of its own until the time is over."""

    def __init__(self, in_flight: int, seconds: float) -> None:
        self.in_flight = in_flight
        self.done = 0
        self._began = time.perf_counter()
        self._end = self._began + seconds

    async def lane(self, first: int, read: Read) -> None:
        n = first
        while time.perf_counter() < self._end:
            assert await read(UUID(int=1 + n % TENANTS)) is not None
            n += self.in_flight
            self.done += 1

    def rate(self) -> float:
        """Reads a second until now."""
        return self.done / (time.perf_counter() - self._began)


async def rate_on_trio(read: Read, in_flight: int, seconds: float) -> float:
    """Reads a second with so many trio tasks."""
    lanes = Lanes(in_flight, seconds)
    async with trio.open_nursery() as nursery:
        for first in range(in_flight):
            nursery.start_soon(lanes.lane, first, read)
    return lanes.rate()
