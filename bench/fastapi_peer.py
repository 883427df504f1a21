"""The resolve route as one writes it with FastAPI, on uvicorn with uvloop and httptools: what ours is compared with.

``python -m bench.fastapi_peer TOKEN TENANT`` (its JSON) prints its port once it listens. It does the same work for a
warm tenant: the token by its SHA-256, the tenant out of a dictionary, the same document and headers; it has no limits,
no expiry, no metrics and nothing behind it. The request is read as it comes and the response made by hand: with
dependencies, header parameters and models FastAPI gives little more than half of that.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

DEMO = {
    "id": "00000000-0000-0000-0000-000000000001",
    "name": "Demo",
    "slug": "demo",
    "domain": "demo.localhost",
    "settings": {},
    "is_active": True,
    "default_locale": "en",
}


def application(token: str, tenant: Mapping[str, Any]) -> FastAPI:
    """One token and one tenant are known."""
    names = {hashlib.sha256(token.encode()).hexdigest(): "bench"}
    tenants = {("slug", tenant["slug"]): tenant, ("host", tenant["domain"]): tenant, ("id", tenant["id"]): tenant}
    requests = itertools.count()
    app = FastAPI()

    @app.get("/v1/tenants/resolve")
    async def resolve(request: Request) -> JSONResponse:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if hashlib.sha256(token.encode()).hexdigest() not in names:
            raise HTTPException(401)
        found = tenants.get(next(iter(request.query_params.items())))
        if found is None:
            raise HTTPException(404)
        headers = {
            "X-Tenant-ID": found["id"],
            "X-Tenant-Slug": found["slug"],
            "X-Tenant-Cache": "hit",
            "X-Request-Id": request.headers.get("x-request-id") or f"{next(requests):032x}",
        }
        return JSONResponse(found, headers=headers)

    return app


class Peer(NamedTuple):
    """One that runs and listens."""

    port: int
    pid: int


@contextmanager
def fastapi_peer(token: str, tenant: Mapping[str, Any]) -> Iterator[Peer]:
    """Runs it in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.fastapi_peer", token, json.dumps(tenant)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Peer(int(process.stdout.readline()), process.pid)
    finally:
        process.kill()
        process.wait()


def main(token: str, tenant: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    app = application(token, json.loads(tenant))
    config = uvicorn.Config(app, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="error")
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
