"""The ASGI server on a small JSON answer, beside a bare loop of trio + httptools and beside uvicorn (wrk, 32 connections).

``python -m bench.http_server bare|ours|uvicorn`` runs one of the servers and prints its port.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from . import wrk
from .figures import AHEAD, Row, not_measured, row, times_peer
from .rounds import medians

ROUNDS = 3
FIGURE = "HTTP, bare ASGI app"
SERVERS = ("bare", "ours", "uvicorn")

_BODY = b'{"id":"00000000-0000-0000-0000-000000000001","slug":"demo","is_active":true}'
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


def run() -> list[Row]:
    """One row for each peer."""
    if wrk.is_missing():
        return [not_measured(FIGURE, "wrk missing")]
    rates = medians({name: partial(_rate, name) for name in SERVERS}, ROUNDS)
    return [
        row(FIGURE, "requests/s", rates["ours"], "bare trio + httptools loop", rates["bare"], times_peer(0.7)),
        row(FIGURE, "requests/s", rates["ours"], "uvicorn, uvloop + httptools", rates["uvicorn"], AHEAD),
    ]


def _rate(name: str) -> float:
    with _server(name) as port:
        return wrk.requests_per_second(f"http://127.0.0.1:{port}/v1/tenants/resolve?slug=demo", {})


@contextmanager
def _server(name: str) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-m", "bench.http_server", name], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The application that both servers run."""
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})


def _serve_ours(listener: socket.socket) -> None:
    import trio

    from rustok_daemon.asgi import serve

    trio.run(serve, app, [listener])


def _serve_bare(listener: socket.socket) -> None:
    """The least that a server on trio and httptools does: parse, answer the same, mind nothing."""
    import trio
    from httptools import HttpRequestParser
    from trio.lowlevel import wait_readable

    class Requests:
        def __init__(self) -> None:
            self.pending = 0

        def on_url(self, url: bytes) -> None:
            self.url = url

        def on_message_complete(self) -> None:
            self.pending += 1

    async def converse(sock: socket.socket) -> None:
        requests = Requests()
        parser = HttpRequestParser(requests)
        while True:
            await wait_readable(sock)
            data = sock.recv(65536)
            if not data:
                return
            parser.feed_data(data)
            sock.send(_ANSWER * requests.pending)
            requests.pending = 0

    async def main() -> None:
        listener.setblocking(False)
        async with trio.open_nursery() as nursery:
            while True:
                await wait_readable(listener)
                sock, _ = listener.accept()
                sock.setblocking(False)
                nursery.start_soon(converse, sock)

    trio.run(main)


def _serve_uvicorn(listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(app, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="error")
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    {"bare": _serve_bare, "ours": _serve_ours, "uvicorn": _serve_uvicorn}[sys.argv[1]](listener)
