"""Clients that leave, half or whole, in the middle of things. On TCP and on unix sockets."""

from __future__ import annotations

import socket
import struct
from typing import Any

import anyio
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from rustok_daemon.asgi import ClientDisconnected
from tests.asgi.asgi_apps import echo, hello, read_body, respond
from tests.asgi.asgi_clients import Client, request, serving

BOTH = pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])


def reset(client: Client) -> None:
    """Leaves without a word of farewell."""
    client.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.stream.socket.close()


@BOTH
async def test_a_client_that_stopped_writing_gets_all_its_answers(unix: bool) -> None:
    async with serving(echo, unix=unix) as served, served.client() as client:
        await client.send(request(target="/1") + request("POST", "/2", body=b"x") + request(target="/3"))
        await client.shut()
        assert [(await client.answer()).body for _ in range(3)] == [b"GET /1 ", b"POST /2 x", b"GET /3 "]
        assert await client.closed()


@BOTH
@pytest.mark.parametrize(
    "part",
    [b"GET / HT", request("POST", "/", "Content-Length: 5") + b"1", request("POST", "/", "Transfer-Encoding: chunked")],
)
async def test_a_client_that_stopped_writing_too_early_is_told(unix: bool, part: bytes) -> None:
    async with serving(echo, unix=unix) as served, served.client() as client:
        await client.send(part)
        await client.shut()
        assert (await client.answer()).status == 400
        assert await client.closed()


@BOTH
async def test_a_reset_in_mid_response_is_the_clients_affair(unix: bool) -> None:
    raised: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/fine":
            await respond(send)
            return
        await send({"type": "http.response.start", "status": 200})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
        except OSError as error:
            raised.append(error)
            raise

    with capture_logs() as logs:
        async with serving(app, unix=unix) as served:
            async with served.client() as client:
                await client.send(request())
                await client.read()
                reset(client)
            with trio.fail_after(5):
                while served.server.connections:
                    await trio.lowlevel.checkpoint()
            assert [type(error) for error in raised] == [ClientDisconnected]
            assert served.server.stats.cut == 1
            assert (await served.ask(request(target="/fine"))).status == 200
    assert logs == []


@BOTH
async def test_a_reset_in_mid_body_ends_the_reading(unix: bool) -> None:
    ended = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert await read_body(receive) is None
        ended.set()

    async with serving(app, unix=unix) as served, served.client() as client:
        await client.send(request("POST", "/", "Content-Length: 10") + b"123")
        await trio.testing.wait_all_tasks_blocked()
        reset(client)
        with trio.fail_after(5):
            await ended.wait()


async def test_who_polls_for_disconnection_sees_it() -> None:
    """As Starlette's ``is_disconnected``: ``receive`` in a scope that is cancelled already."""
    seen: list[bool] = []
    look = trio.Event()

    async def gone(receive: Any) -> bool:
        with anyio.CancelScope() as scope:
            scope.cancel()
            return bool((await receive())["type"] == "http.disconnect")
        return False

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        seen.append(await gone(receive))
        await look.wait()
        with trio.fail_after(5):
            while not await gone(receive):
                await trio.lowlevel.checkpoint()
        seen.append(True)

    async with serving(app) as served:
        async with served.client() as client:
            await client.send(request())
            await trio.testing.wait_all_tasks_blocked()
        look.set()
        with trio.fail_after(5):
            while served.server.connections:
                await trio.lowlevel.checkpoint()
    assert seen == [False, True]


@BOTH
async def test_clients_that_connect_and_leave_leave_nothing(unix: bool) -> None:
    with capture_logs() as logs:
        async with serving(hello, unix=unix) as served:
            for _ in range(200):
                async with served.client() as client:
                    reset(client)
            with trio.fail_after(5):
                while served.server.connections:
                    await trio.lowlevel.checkpoint()
            assert (await served.ask(request())).status == 200
    assert logs == []
