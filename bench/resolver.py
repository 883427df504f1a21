"""``peek`` on the resolver's published view, beside a plain dictionary and beside theine: hits only.

The tenants come out of a real Postgres, as they do in the daemon. All sides look up the same names in the same shuffled
order; theine gets plain strings, which suit it best, and the dictionary the resolver's own identities.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import theine
import trio

from actors.identities import Identity
from actors.messages import TenantDirectory
from actors.tenant_resolver import TenantResolver
from actors.tenant_resolver.settings import TenantSettings
from rustok_daemon.asyncio_side import open_side
from rustok_daemon.postgres.interface import Database
from rustok_daemon.telemetry.logs import configure
from rustok_daemon.testing import run_actor

from .figures import AHEAD, Row, at_least, row
from .rounds import medians
from .tenants_table import TENANTS, filled_postgres, open_pool

PASSES = 20
_LOADS_AT_ONCE = 8


def run() -> list[Row]:
    """One row for each peer."""
    configure("warning", "console")
    return trio.run(_measure)


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        async with (
            open_side() as side,
            filled_postgres(Path(directory), side) as url,
            open_pool(side, url) as pool,
            run_actor(TenantResolver(TenantSettings()), resources={Database: pool}) as running,
        ):
            view: TenantDirectory = running.view(TenantDirectory)
            await _load_all(view)
            return _compared(view)


async def _load_all(view: TenantDirectory) -> None:
    async def load(first: int) -> None:
        for n in range(first, TENANTS + 1, _LOADS_AT_ONCE):
            await view.resolve(_identity(n))

    async with trio.open_nursery() as nursery:
        for first in range(1, _LOADS_AT_ONCE + 1):
            nursery.start_soon(load, first)


def _identity(n: int) -> Identity:
    return Identity("slug", f"t{n}")


def _compared(view: TenantDirectory) -> list[Row]:
    """Names are made anew, as a request makes them: nothing is found by being the very same object."""
    identities = [_identity(n) for n in range(1, TENANTS + 1)]
    random.shuffle(identities)
    names = [identity.value for identity in identities]
    dictionary, cache = _dictionary(view), _theine(view)
    rates = medians(
        {
            "ours": partial(_rate, view.peek, identities),
            "dict": partial(_rate, dictionary.get, identities),
            "theine": partial(_rate, cache.get, names),
        }
    )
    return [
        row("peek", "hits/s", rates["ours"], "dict.get", rates["dict"], at_least(1.5e6)),
        row("peek", "hits/s", rates["ours"], "theine", rates["theine"], AHEAD),
    ]


def _dictionary(view: TenantDirectory) -> dict[Identity, Any]:
    return {identity: view.peek(identity) for identity in map(_identity, range(1, TENANTS + 1))}


def _theine(view: TenantDirectory) -> theine.Cache[str, Any]:
    """With room to spare, so that it never evicts."""
    cache = theine.Cache[str, Any](2 * TENANTS)
    for identity in map(_identity, range(1, TENANTS + 1)):
        cache.set(identity.value, view.peek(identity))
    return cache


def _rate(look_up: Callable[[Any], object], names: Sequence[object]) -> float:
    assert look_up(names[0]) is not None
    began = time.perf_counter()
    for _ in range(PASSES):
        for name in names:
            look_up(name)
    return PASSES * len(names) / (time.perf_counter() - began)
