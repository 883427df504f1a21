"""Resident memory of the daemon itself: idle, and what a hundred thousand cached tenants add.

The peers: the idle FastAPI peer, and a plain dictionary that holds the same tenants under the same names.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import msgspec
import trio
import uvloop

from actors.identities import Identity, identities_of
from actors.messages import Tenant
from rustok_daemon.telemetry.logs import configure

from .daemon import Daemon, daemon, resident
from .fastapi_peer import DEMO, fastapi_peer
from .figures import Row, at_most, row
from .keep_alive import get_all
from .servers import postgres, redis

TENANTS = 100_000
ROUNDS = 3
SETTLED_AFTER = 3.0
"""Seconds after which nothing of the start is under way any more."""

_FILL = f"""
insert into tenants (id, name, slug, domain, settings)
select lpad(to_hex(n), 32, '0')::uuid, 'Tenant ' || n, 't' || n, 't' || n || '.example', '{{"theme": "dark"}}'
from generate_series(2, {TENANTS + 1}) as n
"""


def run() -> list[Row]:
    """Idle, and for cached tenants."""
    configure("warning", "console")
    idle = statistics.median(_idle() for _ in range(ROUNDS))
    peer = statistics.median(_idle_peer() for _ in range(ROUNDS))
    cached = trio.run(_cached)
    return [
        row("resident memory, idle, without the servers", "MB", idle, "FastAPI + uvicorn", peer, at_most(100)),
        row(f"resident memory for {TENANTS:,} cached tenants", "MB", cached, "the same in a dict", _dictionary()),
    ]


def _idle() -> float:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory, daemon(Path(directory)) as running:
        return _settled(running.pid)


def _idle_peer() -> float:
    with fastapi_peer("token", DEMO) as peer:
        return _settled(peer.pid)


def _settled(pid: int) -> float:
    time.sleep(SETTLED_AFTER)  # what is measured is a process left alone for a while
    return resident(pid)


async def _cached() -> float:
    """What it adds to have every tenant in the cache, and served from there."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        directory = Path(made)
        async with postgres(directory) as database, redis(directory) as cache:
            return await trio.to_thread.run_sync(partial(_filled, directory / "daemon", database, cache))


def _filled(directory: Path, database: str, cache: str) -> float:
    settings = {"database__url": database, "redis__url": cache}
    with daemon(directory, **settings):
        pass
    uvloop.run(_fill(database))
    room = {"tenant__cache__capacity": str(4 * TENANTS), "tenant__cache__ttl": "1h"}
    with daemon(directory, **settings, **room) as running:
        before = _settled(running.pid)
        _resolve_all(running)
        return _settled(running.pid) - before


async def _fill(url: str) -> None:
    """The tables are there: a daemon has migrated them."""
    connection = await asyncpg.connect(url)
    await connection.execute(_FILL)
    await connection.close()


def _resolve_all(running: Daemon) -> None:
    """Each twice: a tenant's answer is rendered when it is first served from the cache."""
    token = running.service_token("tenants:read")
    paths = [f"/v1/tenants/resolve?slug=t{n}" for n in range(2, TENANTS + 2)]
    for _ in range(2):
        trio.run(get_all, running.port, paths, {"Authorization": f"Bearer {token}"})
    metrics = httpx.get(f"http://127.0.0.1:{running.port}/metrics").text
    entries = next(line for line in metrics.splitlines() if line.startswith("rustok_tenant_cache_entries"))
    assert float(entries.split()[-1]) >= TENANTS, entries


def _dictionary() -> float:
    gc.collect()
    before = resident(os.getpid())
    tenants: dict[Identity, Tenant] = {}
    for n in range(2, TENANTS + 2):
        tenant = _tenant(n)
        tenants.update(dict.fromkeys(identities_of(tenant.id, tenant.slug, tenant.domain), tenant))
    gc.collect()
    return resident(os.getpid()) - before


def _tenant(n: int) -> Tenant:
    return Tenant(
        id=UUID(int=n),
        name=f"Tenant {n}",
        slug=f"t{n}",
        domain=f"t{n}.example",
        settings=msgspec.Raw(b'{"theme": "dark"}'),
        is_active=True,
        default_locale="en",
    )
