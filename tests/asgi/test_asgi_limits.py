"""Deadlines, on a virtual clock, and the number of connections."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from rustok_daemon.asgi import ClientDisconnected, Limits
from tests.asgi.asgi_apps import echo, hello, read_body, respond
from tests.asgi.asgi_clients import Client, request, serving

LIMITS = Limits(header_timeout=10, body_timeout=30, keep_alive=75, write_timeout=120)


async def seconds_until_closed(client: Client) -> float:
    """How long the server leaves the connection open, with whatever it says before it closes it."""
    began = trio.current_time()
    await client.rest()
    return trio.current_time() - began


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("before", [b"", request()], ids=["fresh", "used"])
async def test_an_idle_connection_is_closed_in_silence(autojump_clock: MockClock, unix: bool, before: bytes) -> None:
    async with serving(hello, LIMITS, unix=unix) as served, served.client() as client:
        if before:
            await client.ask(before)
        assert 75 <= await seconds_until_closed(client) <= 77
        assert served.server.stats.refused == {}


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
async def test_a_slow_head_is_answered_with_408(autojump_clock: MockClock, unix: bool) -> None:
    async with serving(hello, LIMITS, unix=unix) as served, served.client() as client:
        began = trio.current_time()
        await client.send(b"GET / HTTP/1.1\r\n")
        answer = await client.answer()
        assert (answer.status, answer.header(b"connection")) == (408, b"close")
        assert 10 <= trio.current_time() - began <= 12
        assert await client.closed()


async def test_a_head_that_trickles_is_slow_however_often_a_byte_comes(autojump_clock: MockClock) -> None:
    async with serving(hello, LIMITS) as served, served.client() as client:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def trickle() -> None:
                await client.send(b"GET / HTTP/1.1\r\nA: ")
                while True:
                    await client.drip(b"a")
                    await trio.sleep(1)

            nursery.start_soon(trickle)
            assert (await client.answer()).status == 408
            assert trio.current_time() - began <= 12
            nursery.cancel_scope.cancel()


async def test_a_slow_body_is_answered_with_408(autojump_clock: MockClock) -> None:
    async with serving(echo, LIMITS) as served, served.client() as client:
        await client.send(request("POST", "/", "Content-Length: 10") + b"12345")
        began = trio.current_time()
        assert (await client.answer("POST")).status == 408
        assert 30 <= trio.current_time() - began <= 32
        assert await client.closed()


async def test_a_body_may_take_long_as_long_as_it_goes_on(autojump_clock: MockClock) -> None:
    async with serving(echo, LIMITS) as served, served.client() as client:
        await client.send(request("POST", "/", "Content-Length: 5"))
        for byte in (b"1", b"2", b"3", b"4", b"5"):
            await trio.sleep(25)
            await client.send(byte)
        assert (await client.answer("POST")).body == b"POST / 12345"


async def test_a_slow_body_that_nobody_reads_ends_the_connection(autojump_clock: MockClock) -> None:
    async with serving(hello, LIMITS) as served, served.client() as client:
        assert (await client.ask(request("POST", "/", "Content-Length: 10") + b"1", "POST")).body == b"hello"
        assert await seconds_until_closed(client) <= 32


async def test_an_application_may_take_its_time(autojump_clock: MockClock) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await trio.sleep(3600)
        await respond(send, b"late")

    async with serving(app, LIMITS) as served:
        assert (await served.ask(request())).body == b"late"


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
async def test_a_client_that_reads_nothing_is_cut(autojump_clock: MockClock, unix: bool) -> None:
    ended: list[float] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        began = trio.current_time()
        await send({"type": "http.response.start", "status": 200})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
        except ClientDisconnected:
            ended.append(trio.current_time() - began)
            raise

    async with serving(app, LIMITS, unix=unix) as served, served.client() as client:
        await client.send(request())
        while not served.server.stats.cut:
            await trio.sleep(1)
        assert 120 <= ended[0] <= 245  # a second time, if the kernel was still handing over when it was first asked
        while served.server.connections:
            await trio.sleep(1)


async def test_a_client_that_reads_slowly_is_not_cut(autojump_clock: MockClock) -> None:
    """It takes less in a minute than would fill what the kernels of both sides hold."""
    size = 12 << 20

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, bytes(size))

    async with serving(app, LIMITS) as served, served.client() as client:
        await client.send(request())
        got = 0
        while got < size:
            got += len(await client.stream.receive_some(1 << 20))
            await trio.sleep(60)
        assert served.server.stats.cut == 0


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
async def test_beyond_max_connections_is_answered_with_503_and_close(unix: bool) -> None:
    async with serving(hello, Limits(max_connections=2), unix=unix) as served:
        async with served.client() as first, served.client() as second:
            for client in (first, second):
                assert (await client.ask(request())).status == 200
            async with served.client() as third:
                answer = await third.ask(request())
                assert (answer.status, answer.header(b"retry-after")) == (503, b"1")
                assert await third.closed()
            assert (await first.ask(request())).status == 200
        while served.server.connections:
            await trio.testing.wait_all_tasks_blocked()
        assert (await served.ask(request())).status == 200


async def test_a_thousand_beyond_max_connections_are_all_answered_with_503() -> None:
    refused: list[int] = []

    async with serving(hello, Limits(max_connections=1)) as served, served.client() as held:
        assert (await held.ask(request())).status == 200

        async def knock() -> None:
            refused.append((await served.ask(b"")).status)

        async with trio.open_nursery() as nursery:
            for _ in range(1000):
                nursery.start_soon(knock)
        assert refused == [503] * 1000
        assert (await held.ask(request())).status == 200


async def test_a_lingering_refusal_holds_no_place(autojump_clock: MockClock) -> None:
    """A refused client that keeps its side open is let go of after ``close_timeout``."""
    async with serving(hello, LIMITS) as served, served.client() as client:
        assert (await client.ask(request(host=False))).status == 400
        began = trio.current_time()
        while served.server.connections:
            await trio.sleep(0.1)
        assert trio.current_time() - began <= LIMITS.close_timeout + 1.5


async def test_a_body_in_time_needs_no_deadline_of_the_application(autojump_clock: MockClock) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with trio.move_on_after(5) as scope_:
            await read_body(receive)
        await respond(send, b"gave up" if scope_.cancelled_caught else b"read")

    async with serving(app, LIMITS) as served, served.client() as client:
        await client.send(request("POST", "/", "Content-Length: 4") + b"12")
        assert (await client.answer("POST")).body == b"gave up"
        await client.send(b"34" + request("POST", body=b"1"))
        assert (await client.answer("POST")).body == b"read"
