"""WebSockets: handshakes taken and refused, what is behind them, close codes and limits. On TCP and on unix sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Event, Request, TextMessage

from rustok_daemon.asgi import ClientDisconnected, Limits
from tests.asgi.asgi_apps import hello
from tests.asgi.asgi_clients import Served, request, serving

BOTH = pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
HANDSHAKE = (
    "Connection: keep-alive, Upgrade",
    "Upgrade: WebSocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@asynccontextmanager
async def connected(served: Served, *subprotocols: str) -> AsyncIterator[WebSocketConnection]:
    async with served.client() as client, trio.open_nursery() as nursery:
        yield await wrap_client_stream(nursery, client.stream, "example.org", "/ws?q=1", subprotocols=subprotocols)
        nursery.cancel_scope.cancel()


async def close_of(websocket: WebSocketConnection) -> tuple[int, str | None]:
    with pytest.raises(ConnectionClosed), trio.fail_after(5):
        while True:
            await websocket.get_message()
    assert websocket.closed is not None
    return websocket.closed.code, websocket.closed.reason


async def echoes(scope: Any, receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["bytes"], "text": message["text"]})


def saying(*messages: dict[str, Any], fails: bool = False) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for message in messages:
            await send({**message, "type": f"websocket.{message['type']}"})
        if fails:
            raise ValueError("the application's own fault")

    return app


@BOTH
async def test_messages_go_both_ways(unix: bool) -> None:
    async with serving(echoes, unix=unix) as served, connected(served) as websocket:
        for message in ("text é", b"bytes\0", "", b"", "x" * 300_000, b"y" * 300_000):
            await websocket.send_message(message)
            assert await websocket.get_message() == message
        with trio.fail_after(5):
            await websocket.ping(b"payload")


async def test_the_scope_of_a_websocket() -> None:
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await echoes(scope, receive, send)

    async with serving(app) as served, connected(served, "one", "two"):
        pass
    scope = scopes[0]
    assert (scope["type"], scope["scheme"], scope["path"], scope["query_string"]) == ("websocket", "ws", "/ws", b"q=1")
    assert scope["subprotocols"] == ["one", "two"]
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in scope


async def test_a_subprotocol_and_headers_are_told_to_the_client() -> None:
    app = saying({"type": "accept", "subprotocol": "two", "headers": [(b"x-one", b"1")]})
    async with serving(app) as served, connected(served, "one", "two") as websocket:
        assert websocket.subprotocol == "two"
        assert (b"x-one", b"1") in websocket.handshake_headers


@BOTH
async def test_frames_behind_the_handshake_are_not_lost(unix: bool) -> None:
    """A client that does not wait for the answer, in one piece and byte by byte."""
    async with serving(echoes, unix=unix) as served:
        for split in (False, True):
            async with served.client() as client:
                peer = WSConnection(ConnectionType.CLIENT)
                raw = peer.send(Request(host="example.org", target="/"))
                eager = WSConnection(ConnectionType.CLIENT)
                eager.send(Request(host="example.org", target="/"))
                frame = bytes((0x81, 0x85, 0, 0, 0, 0)) + b"eager"
                await (client.drip(raw + frame) if split else client.send(raw + frame))
                events: list[Event] = []
                with trio.fail_after(5):
                    while len(events) < 2:
                        peer.receive_data(await client.read())
                        events += peer.events()
                assert isinstance(events[0], AcceptConnection)
                assert isinstance(events[1], TextMessage)
                assert events[1].data == "eager"


@pytest.mark.parametrize(
    ("without", "instead", "status"),
    [
        (2, (), 426),
        (2, ("Sec-WebSocket-Version: 8",), 426),
        (3, (), 400),
        (3, ("Sec-WebSocket-Key: short",), 400),
        (3, ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400),
        (None, ("Transfer-Encoding: chunked",), 400),
    ],
)
async def test_a_handshake_that_is_none_is_refused(without: int | None, instead: tuple[str, ...], status: int) -> None:
    headers = [line for index, line in enumerate(HANDSHAKE) if index != without]
    async with serving(echoes) as served, served.client() as client:
        answer = await client.ask(request("GET", "/", *headers, *instead))
        assert answer.status == status
        assert (answer.header(b"sec-websocket-version") == b"13") == (status == 426)
        assert await client.closed()
        assert served.server.stats.websockets == 0


@pytest.mark.parametrize("change", ["no upgrade", "1.0", "POST"])
async def test_what_is_no_handshake_is_a_request(change: str) -> None:
    headers = HANDSHAKE[1:] if change == "no upgrade" else HANDSHAKE
    raw = request("POST" if change == "POST" else "GET", "/", *headers, version="1.0" if change == "1.0" else "1.1")
    async with serving(hello) as served:
        assert (await served.ask(raw)).body == b"hello"


@BOTH
async def test_a_refusal_of_the_application_is_a_403(unix: bool) -> None:
    async with serving(saying({"type": "close"}), unix=unix) as served, served.client() as client:
        answer = await client.ask(request("GET", "/", *HANDSHAKE) + b"eager frames" * 100)
        assert answer.status == 403
        assert await client.closed()


async def test_a_denial_is_the_applications_own_response() -> None:
    app = saying(
        {"type": "http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Bearer")]},
        {"type": "http.response.body", "body": b"who ", "more_body": True},
        {"type": "http.response.body", "body": b"are you?"},
    )
    async with serving(app) as served, served.client() as client:
        answer = await client.ask(request("GET", "/", *HANDSHAKE) + b"x" * 1000)
        assert (answer.body, answer.whole) == (b"who are you?", True)
        assert answer.status == 401
        assert answer.header(b"www-authenticate") == b"Bearer"
        assert await client.closed()


@pytest.mark.parametrize(
    "app",
    [
        saying(),
        saying(fails=True),
        saying({"type": "send", "text": "too early"}),
        saying({"type": "accept", "subprotocol": "not offered"}),
        saying({"type": "accept", "headers": [(b"x", b"a\r\nb: c")]}),
        saying({"type": "http.response.start", "status": 403}),
    ],
    ids=["silent", "fails", "sends early", "wrong subprotocol", "injection", "half a denial"],
)
async def test_an_application_that_breaks_the_rules_before_it_accepts_is_a_500_logged_once(app: Any) -> None:
    with capture_logs() as logs:
        async with serving(app) as served, served.client() as client:
            answer = await client.ask(request("GET", "/", *HANDSHAKE))
            assert answer.status == 500
            assert answer.header(b"b") is None
            assert await client.closed()
    assert [entry["log_level"] for entry in logs] == ["error"]


@BOTH
async def test_the_application_closes_with_its_code_and_reason(unix: bool) -> None:
    app = saying(
        {"type": "accept"}, {"type": "send", "text": "last"}, {"type": "close", "code": 4410, "reason": "gone"}
    )
    async with serving(app, unix=unix) as served, connected(served) as websocket:
        assert await websocket.get_message() == "last"
        assert await close_of(websocket) == (4410, "gone")


async def test_an_application_that_returns_closes_with_1000() -> None:
    async with serving(saying({"type": "accept"})) as served, connected(served) as websocket:
        assert (await close_of(websocket))[0] == 1000


async def test_an_application_that_fails_closes_with_1011_and_is_logged_once() -> None:
    with capture_logs() as logs:
        async with serving(saying({"type": "accept"}, fails=True)) as served, connected(served) as websocket:
            assert (await close_of(websocket))[0] == 1011
    assert [entry["log_level"] for entry in logs] == ["error"]


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_the_application_hears_of_the_clients_code(code: int) -> None:
    heard: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        heard.append(await receive())
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.send", "text": "late"})
        heard.append(await receive())

    async with serving(app) as served, connected(served) as websocket:
        await websocket.aclose(code, "bye")
        with trio.fail_after(5):
            while len(heard) < 2:
                await trio.lowlevel.checkpoint()
    assert [(message["type"], message["code"]) for message in heard] == [("websocket.disconnect", code)] * 2


async def test_a_client_that_vanishes_is_a_1006() -> None:
    heard: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        heard.append(await receive())

    async with serving(app) as served:
        async with served.client() as client:
            await client.send(request("GET", "/", *HANDSHAKE))
            await client.read()
        with trio.fail_after(5):
            while served.server.connections:
                await trio.lowlevel.checkpoint()
    assert [message["code"] for message in heard] == [1006]


async def test_a_message_over_the_limit_closes_with_1009() -> None:
    async with serving(echoes, Limits(max_message=1000)) as served, connected(served) as websocket:
        await websocket.send_message("x" * 1000)
        assert len(await websocket.get_message()) == 1000
        await websocket.send_message("x" * 500_000)
        assert (await close_of(websocket))[0] == 1009


async def test_a_broken_frame_ends_the_connection() -> None:
    async with serving(echoes) as served, served.client() as client:
        await client.send(request("GET", "/", *HANDSHAKE))
        await client.read()
        await client.send(bytes((0xFF, 0x80, 0, 0, 0, 0)))
        with trio.fail_after(5):
            await client.rest()


async def test_one_task_may_wait_for_the_client_while_another_accepts() -> None:
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

        async def listen() -> None:
            heard.append((await receive())["text"])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await send({"type": "websocket.accept"})

    async with serving(app) as served, connected(served) as websocket:
        await websocket.send_message("hello")
        assert (await close_of(websocket))[0] == 1000
    assert heard == ["hello"]


async def test_an_application_that_waits_before_it_accepts_hears_that_the_client_is_gone() -> None:
    heard: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        heard.append(await receive())

    with capture_logs() as logs:
        async with serving(app) as served:
            async with served.client() as client:
                await client.send(request("GET", "/", *HANDSHAKE))
                await trio.testing.wait_all_tasks_blocked(0.01)
            with trio.fail_after(5):
                while served.server.connections:
                    await trio.lowlevel.checkpoint()
    assert heard[0]["type"] == "websocket.disconnect"
    assert logs == []
