"""Time to ready, beside the FastAPI peer's time to its first answer, which has neither servers nor a database to reach.

Ours counts from the start of the process until it says READY to its service manager; the data directory, or the external
database, is one that it has seen before.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

import httpx
import trio

from rustok_daemon.telemetry.logs import configure

from .daemon import daemon
from .fastapi_peer import DEMO, fastapi_peer
from .figures import Row, at_most, row
from .rounds import medians_async
from .servers import postgres, redis


def run() -> list[Row]:
    """With embedded servers, and with external ones."""
    configure("warning", "console")
    return trio.run(_measure)


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        directory = Path(made)
        async with postgres(directory / "servers") as database, redis(directory / "servers") as cache:
            external = partial(_ready_after, directory / "external", database__url=database, redis__url=cache)
            seconds = await medians_async(
                {
                    "embedded": lambda: trio.to_thread.run_sync(_ready_after, directory / "embedded"),
                    "external": lambda: trio.to_thread.run_sync(external),
                    "peer": lambda: trio.to_thread.run_sync(_first_answer_after),
                }
            )
    peer = "FastAPI + uvicorn, first answer"
    return [
        row("time to ready, embedded servers, warm", "s", seconds["embedded"], peer, seconds["peer"], at_most(1.5)),
        row("time to ready, external servers", "s", seconds["external"], peer, seconds["peer"], at_most(0.6)),
    ]


def _ready_after(directory: Path, **settings: str) -> float:
    """The round before the first one that counts leaves the data behind."""
    with daemon(directory, **settings) as running:
        return running.ready_after


def _first_answer_after() -> float:
    began = time.perf_counter()
    with fastapi_peer("token", DEMO) as peer:
        url = f"http://127.0.0.1:{peer.port}/v1/tenants/resolve?slug={DEMO['slug']}"
        assert httpx.get(url, headers={"Authorization": "Bearer token"}).status_code == 200
        return time.perf_counter() - began
