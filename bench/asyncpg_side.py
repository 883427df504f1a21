"""asyncpg from trio through our side thread, beside asyncpg on uvloop alone and beside trio-asyncio.

All read the same row by primary key from one server; what asyncpg does by itself at the end of each use (a reset query)
is off on every side, as it is off in our pool.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import trio
import trio_asyncio  # type: ignore[import-untyped]
import uvloop

from rustok_daemon.asyncio_side import Side, open_side
from rustok_daemon.postgres.wire import PlainConnection
from rustok_daemon.telemetry.logs import configure

from .figures import Row, row, times_peer
from .rounds import medians_async
from .tenants_table import CONNECTIONS, SELECT, Lanes, Read, filled_postgres, open_pool, rate_on_trio, read_by

SECONDS = 0.6


def run() -> list[Row]:
    """One row for each peer and number of reads in flight."""
    configure("warning", "console")
    return trio.run(_measure)


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        async with open_side() as side, filled_postgres(Path(directory), side) as url:
            return [line for in_flight in (1, 8) for line in await _compared(side, url, in_flight)]


async def _compared(side: Side, url: str, in_flight: int) -> list[Row]:
    async with _plain_pool(side, url) as handed_over, open_pool(side, url) as pool:
        rates = await medians_async(
            {
                "side": lambda: rate_on_trio(handed_over, in_flight, SECONDS),
                "uvloop": lambda: trio.to_thread.run_sync(lambda: uvloop.run(_native(url, in_flight))),
                "pool": lambda: rate_on_trio(read_by(pool), in_flight, SECONDS),
                "trio-asyncio": lambda: _trio_asyncio(url, in_flight),
            }
        )
    goals = (times_peer(0.6),) if in_flight == 8 else ()
    side_thread, view = f"asyncpg, side thread, {in_flight} in flight", f"asyncpg, our pool, {in_flight} in flight"
    return [
        row(side_thread, "reads/s", rates["side"], "uvloop alone", rates["uvloop"], *goals),
        row(side_thread, "reads/s", rates["side"], "trio-asyncio", rates["trio-asyncio"]),
        row(view, "reads/s", rates["pool"], "uvloop alone", rates["uvloop"], *goals),
    ]


async def _open_pool(url: str) -> Any:
    return await asyncpg.create_pool(
        url, min_size=CONNECTIONS, max_size=CONNECTIONS, connection_class=PlainConnection, init=_decode_json
    )


async def _decode_json(connection: Any) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=msgspec.json.decode)


@asynccontextmanager
async def _plain_pool(side: Side, url: str) -> AsyncIterator[Read]:
    """asyncpg's own pool in the side thread: what the hand-over costs, and nothing else."""
    pool = await side.run(_open_pool, url)
    yield lambda id: side.run(pool.fetchrow, SELECT, id)
    await side.run(pool.close)


async def _native(url: str, in_flight: int) -> float:
    """Alone in a loop and thread of its own, while trio waits."""
    pool = await _open_pool(url)
    lanes = Lanes(in_flight, SECONDS)
    await asyncio.gather(*(lanes.lane(first, partial(pool.fetchrow, SELECT)) for first in range(in_flight)))
    rate = lanes.rate()
    await pool.close()
    return rate


async def _trio_asyncio(url: str, in_flight: int) -> float:
    async with trio_asyncio.open_loop():
        pool = await trio_asyncio.aio_as_trio(_open_pool)(url)
        read = trio_asyncio.aio_as_trio(pool.fetchrow)
        rate = await rate_on_trio(partial(read, SELECT), in_flight, SECONDS)
        await trio_asyncio.aio_as_trio(pool.close)()
    return rate
