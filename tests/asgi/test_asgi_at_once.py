"""Responses made without waiting: in order with all others, whole, and no more than one a tick for each connection."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from rustok_daemon.asgi import ClientDisconnected, Fields, Limits, WholeResponse
from tests.asgi.asgi_apps import respond
from tests.asgi.asgi_clients import request, serving

pytestmark = pytest.mark.timeout(60)


def at_once(scope: Any) -> WholeResponse | None:
    """Answers every path but those that begin with ``/slow``; ``/big`` with 12 kB, ``/huge`` with 15 MB, ``/none`` with 204."""
    path = scope["path"]
    if path.startswith("/slow"):
        return None
    if path == "/none":
        return WholeResponse(204, Fields([(b"x-at", b"once")]))
    body = path.encode() * {"/big": 3000, "/huge": 3_000_000}.get(path, 1)
    return WholeResponse(200, Fields([(b"content-length", b"%d" % len(body)), (b"x-at", b"once")]), body)


async def slow(scope: Any, receive: Any, send: Any) -> None:
    """``/slow-…`` is; ``/slowly…`` answers as fast as an application can, with a body that is written by itself."""
    path = scope["path"].encode()
    if path.startswith(b"/slow-"):
        await trio.sleep(0.01)
    await respond(send, path if path.startswith(b"/slow-") else path + b" " * 20_000)


async def test_one_after_the_other_on_a_kept_connection() -> None:
    async with serving(slow, at_once=at_once) as served, served.client() as client:
        for n in range(20):
            answer = await client.ask(request("GET", f"/{n}"))
            assert (answer.status, answer.body, answer.header(b"x-at")) == (200, b"/%d" % n, b"once")


async def test_a_thousand_sent_ahead_are_answered_in_order_with_slow_ones_between() -> None:
    paths = [{3: f"/slow-{n}", 7: f"/slowly{n}"}.get(n % 20, f"/{n}") for n in range(1000)]
    async with serving(slow, at_once=at_once) as served, served.client() as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.send, b"".join(request("GET", path) for path in paths))
        assert [(await client.answer()).body.decode().strip() for _ in paths] == paths


async def test_a_head_and_a_204_have_no_body() -> None:
    async with serving(slow, at_once=at_once) as served, served.client() as client:
        head = await client.ask(request("HEAD", "/x"), "HEAD")
        assert (head.body, head.header(b"content-length")) == (b"", b"2")
        none = await client.ask(request("GET", "/none"))
        assert (none.status, none.body) == (204, b"")
        assert (await client.ask(request("GET", "/after"))).body == b"/after"


async def test_a_request_with_a_body_is_the_applications() -> None:
    async with serving(slow, at_once=at_once) as served, served.client() as client:
        answer = await client.ask(request("POST", "/x", body=b"body"), "POST")
        assert (answer.body.strip(), answer.header(b"x-at")) == (b"/x", None)


async def test_the_last_answer_leaves_before_the_connection_closes() -> None:
    async with serving(slow, at_once=at_once) as served:
        async with served.client() as client:
            answer = await client.ask(request("GET", "/last", "Connection: close"))
            assert (answer.body, answer.header(b"connection")) == (b"/last", b"close")
            assert await client.closed()
        async with served.client() as client:
            await client.send(request("GET", "/half"))
            await client.shut()
            assert (await client.answer()).body == b"/half"
            assert await client.closed()


async def test_bytes_behind_the_last_request_do_not_take_its_answer_away() -> None:
    async with serving(slow, at_once=at_once) as served, served.client() as client:
        await client.send(request("GET", "/last", "Connection: close") + b"x" * 100_000)
        assert (await client.answer()).body == b"/last"


async def test_what_is_refused_comes_after_what_was_answered() -> None:
    async with serving(slow, at_once=at_once) as served, served.client() as client:
        await client.send(request("GET", "/first") + b"NONSENSE\r\n\r\n")
        assert (await client.answer()).body == b"/first"
        assert (await client.answer()).status == 400
        assert await client.closed()


async def test_a_client_that_reads_nothing_holds_up_nobody_and_gets_all_later() -> None:
    async with serving(slow, at_once=at_once) as served, served.client() as lazy:
        count = 400
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lazy.send, request("GET", "/big") * count)
            async with served.client() as other:
                for _ in range(50):
                    assert (await other.ask(request("GET", "/quick"))).body == b"/quick"
            for _ in range(count):
                answer = await lazy.answer()
                assert answer.whole
                assert len(answer.body) == 12_000


async def test_what_the_kernel_does_not_take_at_once_leaves_as_the_client_reads() -> None:
    """By then its connection waits for the next request."""
    async with serving(slow, at_once=at_once) as served, served.client() as client:
        await client.send(request("GET", "/huge"))
        await wait_all_tasks_blocked()
        with trio.fail_after(20):
            assert len((await client.answer()).body) == 15_000_000
            assert (await client.ask(request("GET", "/next"))).body == b"/next"


async def test_half_a_head_behind_an_answer_that_the_kernel_did_not_take_is_waited_for() -> None:
    async with serving(slow, at_once=at_once) as served, served.client() as client:
        following = request("GET", "/next")
        await client.send(request("GET", "/huge") + following[:9])
        await wait_all_tasks_blocked()
        with trio.fail_after(20):
            assert len((await client.answer()).body) == 15_000_000
            assert (await client.ask(following[9:])).body == b"/next"


async def test_a_client_that_reads_nothing_for_too_long_is_cut() -> None:
    limits = Limits(write_timeout=0.3)
    async with serving(slow, limits, at_once=at_once) as served, served.client() as client:
        with trio.fail_after(20):
            try:
                while True:
                    await client.send(request("GET", "/big") * 50)
            except trio.BrokenResourceError:
                pass
            while served.server.connections:
                await trio.sleep(0.02)


async def test_a_drain_lets_what_was_answered_leave() -> None:
    async with serving(slow, at_once=at_once) as served, served.client() as client:
        await client.send(request("GET", "/a") + request("GET", "/slow-1") + request("GET", "/b"))
        assert (await client.answer()).body == b"/a"
        drained = await served.server.drain(5)
        assert drained.cut == 0
        assert (await client.answer()).body == b"/slow-1"


async def test_clients_that_reset_leave_nothing_behind() -> None:
    async with serving(slow, at_once=at_once) as served:
        for _ in range(50):
            async with served.client() as client:
                await client.send(request("GET", "/big") * 20)
                client.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with trio.fail_after(10):
            while served.server.connections:
                await trio.sleep(0.02)
        async with served.client() as client:
            assert (await client.ask(request("GET", "/still"))).body == b"/still"


async def test_a_websocket_behind_an_answer_at_once_gets_its_handshake_after_it() -> None:
    async def denies(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            raise ClientDisconnected
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + "A" * 22 + "==",
    )
    async with serving(denies, at_once=at_once) as served, served.client() as client:
        await client.send(request("GET", "/first") + request("GET", "/ws", *upgrade))
        assert (await client.answer()).body == b"/first"
        assert (await client.answer()).status == 403
