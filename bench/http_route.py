"""The warm resolve route of a whole daemon, beside a bare loop of trio + httptools and beside the same route on FastAPI.

They are asked in turn (wrk, 32 connections). Ours and FastAPI get a token, and have to give the same document first.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from . import wrk
from .daemon import daemon
from .fastapi_peer import DEMO, fastapi_peer
from .figures import Row, not_measured, row, times_peer
from .rounds import medians

ROUNDS = 3
FIGURE = "warm resolve over HTTP"


def run() -> list[Row]:
    """One row for each peer."""
    if wrk.is_missing():
        return [not_measured(FIGURE, "wrk missing")]
    with tempfile.TemporaryDirectory(dir="/tmp") as directory, daemon(Path(directory)) as running:
        token = running.service_token("tenants:read")
        answer = _warm(_url(running.port), token)
        with fastapi_peer(token, answer) as peer:
            assert _warm(_url(peer.port), token) == answer
            rates = medians(
                {
                    "ours": lambda: _rate(running.port, token),
                    "fastapi": lambda: _rate(peer.port, token),
                    "bare": lambda: _rate_of_bare_loop(token),
                },
                ROUNDS,
            )
    return [
        row(FIGURE, "requests/s", rates["ours"], "bare trio + httptools loop", rates["bare"], times_peer(0.5)),
        row(FIGURE, "requests/s", rates["ours"], "FastAPI + uvicorn", rates["fastapi"], times_peer(4)),
    ]


def _rate(port: int, token: str) -> float:
    return wrk.requests_per_second(_url(port), _headers(token))


def _rate_of_bare_loop(token: str) -> float:
    """A new one for each round: it does not survive the end of wrk's connections."""
    with _bare_loop() as port:
        return _rate(port, token)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1/tenants/resolve?slug={DEMO['slug']}"


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _warm(url: str, token: str) -> dict[str, Any]:
    """The document, asked for often enough to be a hit."""
    for _ in range(2):
        answer = httpx.get(url, headers=_headers(token))
        answer.raise_for_status()
    assert answer.headers["X-Tenant-Cache"] == "hit"
    document: dict[str, Any] = answer.json()
    return document


@contextmanager
def _bare_loop() -> Iterator[int]:
    """The one of ``http_server``; gives its port."""
    process = subprocess.Popen([sys.executable, "-m", "bench.http_server", "bare"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
