"""The graceful end: what is in flight is finished, what is idle is closed, and what takes too long is cut and named."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

from rustok_daemon.asgi import serve
from rustok_daemon.lifecycle.messages import Drained
from tests.asgi.asgi_apps import echo, hello, respond
from tests.asgi.asgi_clients import Served, open_listener, request, serving

BOTH = pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])


class Gate:
    """An application that answers when the gate is opened."""

    def __init__(self) -> None:
        self.entered = trio.Event()
        self.opened = trio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.entered.set()
        await self.opened.wait()
        await respond(send, b"finished")


@BOTH
async def test_what_is_in_flight_is_finished_and_told_to_close(unix: bool) -> None:
    gate = Gate()
    async with serving(gate, unix=unix) as served, served.client() as client:
        await client.send(request())
        await gate.entered.wait()
        drained: list[Drained] = []
        async with trio.open_nursery() as nursery:

            async def drain() -> None:
                drained.append(await served.server.drain(10))

            nursery.start_soon(drain)
            await trio.testing.wait_all_tasks_blocked()
            gate.opened.set()
            answer = await client.answer()
            assert (answer.body, answer.header(b"connection")) == (b"finished", b"close")
            assert await client.closed()
        assert drained == [Drained(finished=1, cut=0)]


@BOTH
async def test_idle_connections_are_closed_at_once(unix: bool) -> None:
    async with serving(hello, unix=unix) as served, served.client() as fresh, served.client() as used:
        await used.ask(request())
        with trio.fail_after(2):
            assert await served.server.drain(60) == Drained()
            assert await fresh.closed()
            assert await used.closed()


async def test_what_is_left_at_the_deadline_is_cut_and_named(autojump_clock: MockClock) -> None:
    with capture_logs() as logs:
        async with serving(Gate()) as served, served.client() as client:
            await client.send(request(target="/slow?a=b"))
            await trio.testing.wait_all_tasks_blocked(0.05)
            began = trio.current_time()
            assert await served.server.drain(5) == Drained(finished=0, cut=1)
            assert 5 <= trio.current_time() - began <= 5.1
            assert await client.closed()
            assert served.server.stats.cut == 1
    assert [entry["request"] for entry in logs] == ["GET /slow?a=b"]


async def test_a_request_that_is_arriving_is_still_answered() -> None:
    async with serving(echo) as served, served.client() as client:
        await client.send(b"POST /late HTTP/1.1\r\nHost: x\r\nContent-")
        await trio.testing.wait_all_tasks_blocked(0.02)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(served.server.drain, 10)
            await trio.testing.wait_all_tasks_blocked(0.02)
            await client.send(b"Length: 4\r\n\r\nbody")
            answer = await client.answer("POST")
            assert (answer.body, answer.header(b"connection")) == (b"POST /late body", b"close")


async def test_nothing_new_is_accepted_and_the_listener_stays_open() -> None:
    with open_listener() as listener:
        async with trio.open_nursery() as nursery:
            server = await nursery.start(lambda task_status: serve(hello, [listener], task_status=task_status))
            await server.drain(1)
        async with Served(server, listener).client() as waiting:
            await waiting.send(request())
            async with trio.open_nursery() as nursery:
                await nursery.start(lambda task_status: serve(hello, [listener], task_status=task_status))
                assert (await waiting.answer()).body == b"hello"
                nursery.cancel_scope.cancel()


async def test_serve_returns_when_drained() -> None:
    with open_listener() as listener, trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            server = await nursery.start(lambda task_status: serve(hello, [listener], task_status=task_status))
            await server.drain(1)


async def talk(scope: Any, receive: Any, send: Any) -> None:
    """A WebSocket that listens until it is closed."""
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def read_close(websocket: WebSocketConnection) -> int:
    with pytest.raises(ConnectionClosed):
        while True:
            await websocket.get_message()
    assert websocket.closed is not None
    return int(websocket.closed.code)


async def test_websockets_are_closed_with_1001() -> None:
    async with serving(talk) as served:
        port = served.listener.getsockname()[1]
        async with open_websocket_url(f"ws://127.0.0.1:{port}/") as websocket, trio.open_nursery() as nursery:
            nursery.start_soon(served.server.drain, 10)
            with trio.fail_after(5):
                assert await read_close(websocket) == 1001


async def test_a_websocket_that_is_accepted_during_the_drain_is_closed_too() -> None:
    opened = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await opened.wait()
        await talk(scope, receive, send)

    async with serving(app) as served, trio.open_nursery() as nursery:

        async def client() -> None:
            async with open_websocket_url(f"ws://127.0.0.1:{served.listener.getsockname()[1]}/") as websocket:
                assert await read_close(websocket) == 1001

        nursery.start_soon(client)
        await trio.testing.wait_all_tasks_blocked(0.02)
        nursery.start_soon(served.server.drain, 10)
        await trio.testing.wait_all_tasks_blocked(0.02)
        opened.set()


async def test_a_websocket_that_does_not_answer_the_close_is_cut_in_time(autojump_clock: MockClock) -> None:
    async with serving(talk) as served, served.client() as client:
        handshake = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
        await client.send(request("GET", "/", *handshake, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
        assert (await client.read()).startswith(b"HTTP/1.1 101 ")
        began = trio.current_time()
        await served.server.drain(30)
        assert trio.current_time() - began <= 7
