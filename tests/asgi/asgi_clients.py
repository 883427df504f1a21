"""A server on a real socket, and clients that send raw bytes and read answers with h11."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import h11
import msgspec
import trio

from rustok_daemon.asgi import Limits, Server, serve

Headers = list[tuple[bytes, bytes]]


class Answer(msgspec.Struct):
    """One response as h11 read it. ``whole``: it ended as its head said."""

    status: int
    headers: Headers
    body: bytes
    interim: tuple[int, ...]
    whole: bool

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)

    @property
    def problem(self) -> dict[str, Any]:
        assert self.header(b"content-type") == b"application/problem+json"
        return msgspec.json.decode(self.body, type=dict[str, Any])


class Client:
    """One connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._ahead = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def drip(self, data: bytes) -> None:
        """Sends byte by byte; stops when the server has closed."""
        try:
            for byte in data:
                await self.stream.send_all(bytes((byte,)))
                await trio.lowlevel.checkpoint()
        except trio.BrokenResourceError:
            pass

    async def shut(self) -> None:
        await self.stream.send_eof()

    async def read(self) -> bytes:
        """What comes next; nothing at the end or after a reset."""
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            return ahead
        try:
            return await self.stream.receive_some(65536)
        except trio.BrokenResourceError:
            return b""

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        parts = []
        while data := await self.read():
            parts.append(data)
        return b"".join(parts)

    async def answer(self, method: str = "GET") -> Answer:
        """Reads one response to a request of that method."""
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        parser.send(h11.EndOfMessage())
        head: h11.Response | None = None
        body = b""
        interim: list[int] = []
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = await self.read()
                if not data and head is None:
                    raise EOFError("closed without an answer")
                try:
                    parser.receive_data(data)
                    if data:
                        continue
                    event = parser.next_event()
                except h11.RemoteProtocolError:
                    break
            match event:
                case h11.InformationalResponse():
                    interim.append(event.status_code)
                case h11.Response():
                    head = event
                case h11.Data():
                    body += event.data
                case _:
                    break
        assert head is not None
        whole = isinstance(event, h11.EndOfMessage)
        self._ahead = parser.trailing_data[0]
        return Answer(head.status_code, list(head.headers), body, tuple(interim), whole)

    async def ask(self, request: bytes, method: str = "GET") -> Answer:
        await self.send(request)
        return await self.answer(method)

    async def closed(self) -> bool:
        """Whether the server closes without another byte."""
        return not await self.read()


class Served(msgspec.Struct):
    """A running server and where it listens."""

    server: Server
    listener: socket.socket

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        sock = trio.socket.socket(self.listener.family, socket.SOCK_STREAM)
        await sock.connect(self.listener.getsockname())
        async with trio.SocketStream(sock) as stream:
            yield Client(stream)

    async def ask(self, request: bytes, method: str = "GET") -> Answer:
        """One request on a connection of its own."""
        async with self.client() as client:
            return await client.ask(request, method)


@asynccontextmanager
async def serving(
    app: Any, limits: Limits | None = None, *, unix: bool = False, **options: Any
) -> AsyncIterator[Served]:
    """Serves ``app`` until the end of the block."""
    with open_listener(unix=unix) as listener:
        async with trio.open_nursery() as nursery:
            server = await nursery.start(
                lambda task_status: serve(app, [listener], limits, task_status=task_status, **options)
            )
            yield Served(server, listener)
            nursery.cancel_scope.cancel()


class open_listener:
    """A listening socket; a unix one lies in a short directory of its own, for paths are limited to 107 bytes."""

    def __init__(self, *, unix: bool = False) -> None:
        self._directory = tempfile.mkdtemp(prefix="asgi") if unix else None

    def __enter__(self) -> socket.socket:
        if self._directory is None:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        else:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(f"{self._directory}/s")
            self._listener.listen(1024)
        return self._listener

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        if self._directory is not None:
            shutil.rmtree(self._directory)


def request(
    method: str = "GET", target: str = "/", *headers: str, body: bytes = b"", version: str = "1.1", host: bool = True
) -> bytes:
    """The bytes of a request; ``Content-Length`` is added when there is a body and no framing."""
    lines = [f"{method} {target} HTTP/{version}", *(["Host: example.org"] if host else []), *headers]
    if body and not any(line.lower().startswith(("content-length:", "transfer-encoding:")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end
