"""HTTP/1.1 as a client sees it: persistence, framing both ways, and what a scope says."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
import trio
import trio.testing

from tests.asgi.asgi_apps import echo, hello, read_body, respond, streaming
from tests.asgi.asgi_clients import chunked, request, serving


async def test_a_connection_is_kept_alive() -> None:
    async with serving(hello) as served, served.client() as client:
        for _ in range(3):
            answer = await client.ask(request())
            assert (answer.status, answer.body, answer.whole) == (200, b"hello", True)
            assert answer.header(b"connection") is None
        assert served.server.connections == 1
        assert served.server.stats.requests == 3


async def test_connection_close_is_obeyed_and_said() -> None:
    async with serving(hello) as served, served.client() as client:
        answer = await client.ask(request("GET", "/", "Connection: close"))
        assert answer.header(b"connection") == b"close"
        assert await client.closed()


async def test_http_1_0_closes_unless_asked_to_keep_alive() -> None:
    async with serving(hello) as served:
        async with served.client() as client:
            answer = await client.ask(request(version="1.0", host=False))
            assert answer.header(b"connection") == b"close"
            assert await client.closed()
        async with served.client() as client:
            for _ in range(2):
                answer = await client.ask(request("GET", "/", "Connection: keep-alive", version="1.0"))
                assert answer.header(b"connection") == b"keep-alive"


async def test_http_1_0_gets_no_chunks() -> None:
    async with serving(streaming(b"a", b"b", b"")) as served, served.client() as client:
        await client.send(request("GET", "/", "Connection: keep-alive", version="1.0"))
        head, _, body = (await client.rest()).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert b"connection: close" in head
        assert body == b"ab"


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving(echo) as served, served.client() as client:
        await client.send(b"".join(request("POST", f"/{n}", body=b"x" * n) for n in range(20)))
        for n in range(20):
            assert (await client.answer("POST")).body == b"POST /%d %b" % (n, b"x" * n)


async def test_an_upload_in_chunks_arrives_whole() -> None:
    async with serving(echo) as served, served.client() as client:
        head = request("PUT", "/c", "Transfer-Encoding: chunked")
        answer = await client.ask(
            head + chunked(b"one", b"two" * 1000, b"3", end=b"0;last=1\r\nX-Sum: 1\r\n\r\n"), "PUT"
        )
        assert answer.body == b"PUT /c one" + b"two" * 1000 + b"3"
        assert (await client.ask(request(target="/next"))).body == b"GET /next "


async def test_a_stream_of_unknown_length_goes_out_in_chunks() -> None:
    async with serving(streaming(b"a" * 10, b"", b"b" * 100_000, b"c")) as served, served.client() as client:
        for _ in range(2):
            answer = await client.ask(request())
            assert answer.header(b"transfer-encoding") == b"chunked"
            assert answer.whole
            assert answer.body == b"a" * 10 + b"b" * 100_000 + b"c"


async def test_a_stream_of_known_length_keeps_its_length() -> None:
    app = streaming(b"ab", b"c" * 50_000, headers=[(b"Content-Length", b"50002")])
    async with serving(app) as served, served.client() as client:
        for _ in range(2):
            answer = await client.ask(request())
            assert answer.header(b"content-length") == b"50002"
            assert answer.header(b"transfer-encoding") is None
            assert len(answer.body) == 50_002


async def test_continue_is_sent_when_the_application_first_receives() -> None:
    reached = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.set()
        body = await read_body(receive)
        assert body is not None
        await respond(send, body)

    async with serving(app) as served, served.client() as client:
        await client.send(request("POST", "/", "Expect: 100-continue", "Content-Length: 4"))
        await reached.wait()
        assert await client.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"body", "POST")).body == b"body"
        assert (await client.ask(request("POST", body=b"again"), "POST")).body == b"again"


async def test_no_continue_when_the_application_answers_without_the_body() -> None:
    async with serving(hello) as served, served.client() as client:
        answer = await client.ask(request("POST", "/", "Expect: 100-continue", "Content-Length: 4"), "POST")
        assert answer.interim == ()
        assert answer.header(b"connection") == b"close"
        assert await client.closed()


async def test_no_continue_for_http_1_0() -> None:
    async with serving(echo) as served, served.client() as client:
        head = request("POST", "/", "Expect: 100-continue", version="1.0", body=b"body")
        assert (await client.ask(head, "POST")).interim == ()


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    async with serving(hello) as served, served.client() as client:
        got = await client.ask(request())
        headed = await client.ask(request("HEAD"), "HEAD")
        assert headed.body == b""
        names = [name for name, _ in headed.headers]
        assert names == [name for name, _ in got.headers if name != b"content-length"]
        assert (await client.ask(request())).body == b"hello"


async def test_head_keeps_a_content_length_that_the_application_gives() -> None:
    app = streaming(b"hello", headers=[(b"content-length", b"5")])
    async with serving(app) as served, served.client() as client:
        await client.send(request("HEAD") + request())
        headed = await client.answer("HEAD")
        assert (headed.header(b"content-length"), headed.body) == (b"5", b"")
        assert (await client.answer()).body == b"hello"


@pytest.mark.parametrize("status", [204, 304])
async def test_204_and_304_have_no_body(status: int) -> None:
    app = streaming(b"not sent", status=status, headers=[(b"content-length", b"8")])
    async with serving(app) as served, served.client() as client:
        for _ in range(2):
            await client.send(request())
            raw = await client.read()
            assert raw.endswith(b"\r\n\r\n")
            assert (b"content-length" in raw) == (status == 304)


async def test_date_is_there_and_server_is_not() -> None:
    async with serving(hello) as served:
        answer = await served.ask(request())
        assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.header(b"date") or b"")
        assert answer.header(b"server") is None


async def test_a_date_of_the_application_stands() -> None:
    async with serving(streaming(b"", headers=[(b"Date", b"then")])) as served:
        assert [v for n, v in (await served.ask(request())).headers if n == b"date"] == [b"then"]


async def test_the_application_may_close_and_cannot_frame() -> None:
    headers = [(b"Connection", b"Close"), (b"Transfer-Encoding", b"gzip"), (b"x", b"y")]
    async with serving(streaming(b"hi", headers=headers)) as served, served.client() as client:
        answer = await client.ask(request())
        assert answer.body == b"hi"
        assert answer.header(b"connection") == b"close"
        assert await client.closed()


async def test_a_body_nobody_reads_is_dropped_if_short() -> None:
    async with serving(hello) as served, served.client() as client:
        await client.send(request("POST", body=b"x" * 60_000) + request(target="/next"))
        assert (await client.answer("POST")).header(b"connection") is None
        assert (await client.answer()).status == 200


@pytest.mark.parametrize("framing", ["Content-Length: 70000", "Transfer-Encoding: chunked"])
async def test_a_body_nobody_reads_ends_the_connection_if_long_or_of_unknown_length(framing: str) -> None:
    async with serving(hello) as served, served.client() as client:
        await client.send(request("POST", "/", framing) + b"x" * 1000)
        answer = await client.answer("POST")
        assert answer.header(b"connection") == b"close"
        assert await client.closed()


async def test_the_scope_of_a_tcp_connection() -> None:
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await respond(send)

    async with serving(app) as served, served.client() as client:
        await client.ask(request("GET", "/a%20b/%C3%A9?x=%20&y", "X-One:  1 \t", "x-ONE: 2"))
        scope = scopes[0]
        sock = client.stream.socket
        assert scope["client"] == sock.getsockname()
        assert scope["server"] == sock.getpeername()
        assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b/é", b"/a%20b/%C3%A9", b"x=%20&y")
        assert scope["headers"] == [(b"host", b"example.org"), (b"x-one", b"1"), (b"x-one", b"2")]
        assert scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}
        assert scope["extensions"] == {}


async def test_the_scope_of_a_unix_connection_names_the_peer() -> None:
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await respond(send)

    async with serving(app, unix=True) as served:
        await served.ask(request())
        scope = scopes[0]
        assert scope["client"] is None
        assert scope["server"] == (served.listener.getsockname(), None)
        assert scope["extensions"]["rustok.peer"] == {"uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid()}


async def test_what_an_application_does_to_its_scope_stays_there() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        marked = "mark" in scope["extensions"] or "mark" in scope["asgi"] or "mark" in scope
        for place in (scope, scope["extensions"], scope["asgi"]):
            place["mark"] = True
        await respond(send, str(marked).encode())

    async with serving(app) as served, served.client() as client:
        assert [(await client.ask(request())).body for _ in range(2)] == [b"False", b"False"]


async def test_the_host_of_an_absolute_target_wins() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        await respond(send, b"%b %b %b" % (b",".join(hosts), scope["raw_path"], scope["query_string"]))

    async with serving(app) as served, served.client() as client:
        assert (await client.ask(request(target="http://other.org:80/p?q"))).body == b"other.org:80 /p q"
        assert (await client.ask(request(target="HTTP://other.org"))).body == b"other.org / "


async def test_options_star_reaches_the_application() -> None:
    async with serving(echo) as served:
        assert (await served.ask(request("OPTIONS", "*"))).body == b"OPTIONS * "


async def test_an_upgrade_we_do_not_do_is_ignored() -> None:
    async with serving(echo) as served, served.client() as client:
        offer = request("GET", "/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
        for _ in range(2):
            assert (await client.ask(offer)).body == b"GET / "
        assert (
            await client.ask(request("POST", "/", "Connection: upgrade", "Upgrade: h2c", body=b"b"))
        ).body == b"POST / b"


async def test_a_blank_line_before_a_request_is_ignored() -> None:
    async with serving(echo) as served, served.client() as client:
        for _ in range(2):
            assert (await client.ask(b"\r\n" + request())).status == 200


async def test_proxy_connection_means_nothing() -> None:
    async with serving(hello) as served, served.client() as client:
        for _ in range(2):
            assert (await client.ask(request("GET", "/", "Proxy-Connection: close"))).status == 200


async def test_a_reader_sees_disconnection_when_the_client_goes() -> None:
    seen = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        assert (await receive())["type"] == "http.disconnect"
        seen.set()

    async with serving(app) as served:
        async with served.client() as client:
            await client.send(request())
        with trio.fail_after(5):
            await seen.wait()


async def test_a_receive_that_waits_ends_with_the_response() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        async with trio.open_nursery() as nursery:
            seen: list[Any] = []

            async def listen() -> None:
                seen.append(await receive())

            nursery.start_soon(listen)
            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked()
            await respond(send, b"done")
        assert [message["type"] for message in seen] == ["http.disconnect"] * 2

    async with serving(app) as served, served.client() as client:
        for _ in range(2):
            assert (await client.ask(request())).body == b"done"


async def test_requests_behind_the_one_in_hand_are_kept_while_it_listens() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        with trio.move_on_after(0.05):
            await receive()
        await respond(send, scope["raw_path"])

    async with serving(app) as served, served.client() as client:
        await client.send(request(target="/1"))
        await client.send(request(target="/2"))
        await client.send(request(target="/3"))
        assert [(await client.answer()).body for _ in range(3)] == [b"/1", b"/2", b"/3"]
