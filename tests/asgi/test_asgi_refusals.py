"""What the server refuses, and with which status: contract.md, "What the server refuses". On TCP and on unix sockets."""

from __future__ import annotations

import pytest

from rustok_daemon.asgi import Limits
from tests.asgi.asgi_apps import echo, hello
from tests.asgi.asgi_clients import chunked, request, serving

HOST = b"Host: example.org\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST

REFUSED = {
    "two blank lines first": b"\r\n\r\n" + GET + b"\r\n",
    "a bare LF after the request line": b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    "a bare LF after a header": GET + b"A: b\nC: d\r\n\r\n",
    "a bare LF at the end": GET + b"\n",
    "a bare CR in a value": GET + b"A: b\rc\r\n\r\n",
    "a NUL": GET + b"A: b\0\r\n\r\n",
    "a control character": GET + b"A: b\x01\r\n\r\n",
    "a DEL": GET + b"A: b\x7f\r\n\r\n",
    "a control character in the target": b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a byte above 127 in the target": b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a fragment in the target": b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a folded header": GET + b"A: b\r\n c\r\n\r\n",
    "a header that is folded at once": b"GET / HTTP/1.1\r\n A: b\r\n" + HOST + b"\r\n",
    "a blank before the colon": GET + b"A : b\r\n\r\n",
    "no colon": GET + b"A\r\n\r\n",
    "an empty name": GET + b": b\r\n\r\n",
    "a name that is no token": GET + b"A(b): c\r\n\r\n",
    "no Host in 1.1": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": GET + HOST + b"\r\n",
    "two Hosts in 1.0": b"GET / HTTP/1.0\r\n" + HOST + HOST + b"\r\n",
    "version 0.9": b"GET /\r\n" + HOST + b"\r\n",
    "version 1.2": b"GET / HTTP/1.2\r\n" + HOST + b"\r\n",
    "version 2.0": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version in small letters": b"GET / http/1.1\r\n" + HOST + b"\r\n",
    "another protocol": b"SETUP / RTSP/1.0\r\n" + HOST + b"\r\n",
    "two blanks in the request line": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a blank behind the version": b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n",
    "a target that is neither path nor URL": b"GET example.org HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target with user and password": b"GET http://a:b@example.org/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT example.org:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an unknown method": b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method in small letters": b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "Content-Length and Transfer-Encoding": GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two Content-Lengths": GET + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "a list of Content-Lengths": GET + b"Content-Length: 1, 1\r\n\r\nx",
    "a signed Content-Length": GET + b"Content-Length: +1\r\n\r\nx",
    "a negative Content-Length": GET + b"Content-Length: -1\r\n\r\n",
    "an empty Content-Length": GET + b"Content-Length:\r\n\r\n",
    "a hexadecimal Content-Length": GET + b"Content-Length: 0x1\r\n\r\nx",
    "a Content-Length of 21 digits": GET + b"Content-Length: 000000000000000000001\r\n\r\nx",
    "Transfer-Encoding gzip": GET + b"Transfer-Encoding: gzip\r\n\r\n",
    "Transfer-Encoding gzip, chunked": GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding twice": GET + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding identity": GET + b"Transfer-Encoding: identity\r\n\r\n",
    "Transfer-Encoding with a vertical tab": GET + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
}

CHUNKED_HEAD = request("POST", "/", "Transfer-Encoding: chunked")
REFUSED_CHUNKS = {
    "a size that is none": b"x\r\n",
    "a size with a prefix": b"0x1\r\na\r\n0\r\n\r\n",
    "a negative size": b"-1\r\n",
    "a size of 21 digits": b"0" * 21 + b"\r\n\r\n",
    "a bare LF behind a size": b"1\na\r\n0\r\n\r\n",
    "a chunk longer than its size": b"1\r\nab\r\n0\r\n\r\n",
    "a chunk that ends in LF": b"1\r\na\n0\r\n\r\n",
    "a control character in an extension": b"1;a=\x01\r\na\r\n0\r\n\r\n",
    "an extension without end": b"1;" + b"a" * 5000,
    "a trailer without colon": b"0\r\nA\r\n\r\n",
    "a folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "trailers without end": b"0\r\n" + b"A: b\r\n" * 2000,
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
async def test_is_answered_with_400_and_close(raw: bytes, unix: bool) -> None:
    async with serving(hello, unix=unix) as served, served.client() as client:
        answer = await client.ask(raw)
        assert answer.status == 400
        assert answer.problem["type"] == "urn:rustok:bad-request"
        assert answer.header(b"connection") == b"close"
        assert await client.closed()
        assert served.server.stats.requests == 0


@pytest.mark.parametrize("chunks", REFUSED_CHUNKS.values(), ids=REFUSED_CHUNKS.keys())
async def test_a_malformed_chunked_body_is_answered_with_400_and_close(chunks: bytes) -> None:
    async with serving(echo) as served, served.client() as client:
        answer = await client.ask(CHUNKED_HEAD + chunks, "POST")
        assert answer.status == 400
        assert await client.closed()


async def test_what_came_before_a_refused_request_is_answered_and_what_comes_after_is_not() -> None:
    async with serving(echo) as served, served.client() as client:
        await client.send(request(target="/1") + request(target="/2", host=False) + request(target="/3"))
        assert (await client.answer()).body == b"GET /1 "
        assert (await client.answer()).status == 400
        assert await client.closed()


@pytest.mark.parametrize("raw", [GET + b"A: " + b"b" * 33_000, b"GET /" + b"a" * 33_000, GET + b"A: b\r\n" * 6000])
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["without an end", "whole"])
async def test_a_head_over_32_kib_is_answered_with_431_and_close(raw: bytes, end: bytes) -> None:
    async with serving(hello) as served, served.client() as client:
        answer = await client.ask(raw + end)
        assert (answer.status, answer.problem["status"]) == (431, 431)
        assert await client.closed()


async def test_a_head_of_exactly_32_kib_is_served_and_one_byte_more_is_not() -> None:
    head = GET + b"A: "
    fill = b"b" * (32 * 1024 - len(head) - 4)
    async with serving(hello) as served:
        assert (await served.ask(head + fill + b"\r\n\r\n")).status == 200
        assert (await served.ask(head + fill + b"b\r\n\r\n")).status == 431


async def test_a_body_over_max_body_is_answered_with_413_before_it_is_sent() -> None:
    async with serving(echo, Limits(max_body=10)) as served:
        assert (await served.ask(request("POST", body=b"x" * 10), "POST")).status == 200
        async with served.client() as client:
            answer = await client.ask(request("POST", "/", "Content-Length: 11", "Expect: 100-continue"), "POST")
            assert (answer.status, answer.interim) == (413, ())
            assert await client.closed()


async def test_a_chunked_body_over_max_body_is_answered_with_413() -> None:
    async with serving(echo, Limits(max_body=10)) as served:
        assert (await served.ask(CHUNKED_HEAD + chunked(b"x" * 10), "POST")).status == 200
        for body in (chunked(b"x" * 9, b"xx"), b"FFFFFFFFFFFFFFFFFFFF\r\n"):
            async with served.client() as client:
                assert (await client.ask(CHUNKED_HEAD + body, "POST")).status == 413
                assert await client.closed()


async def test_the_body_limit_is_the_routes_own() -> None:
    def limit(scope: object) -> int | None:
        assert isinstance(scope, dict)
        return None if scope["path"] == "/storage" else 10

    async with serving(echo, body_limit=limit) as served:
        assert (await served.ask(request("POST", "/a", body=b"x" * 11), "POST")).status == 413
        assert (await served.ask(request("POST", "/storage", body=b"x" * 100), "POST")).status == 200


async def test_a_refused_head_request_gets_no_body() -> None:
    async with serving(hello, Limits(max_body=1)) as served, served.client() as client:
        await client.send(request("HEAD", "/", "Content-Length: 2"))
        raw = await client.rest()
        assert raw.startswith(b"HTTP/1.1 413 ")
        assert raw.endswith(b"\r\n\r\n")


async def test_a_client_that_goes_on_sending_can_still_read_the_refusal() -> None:
    async with serving(hello) as served, served.client() as client:
        await client.send(request(host=False) + b"x" * 500_000)
        assert (await client.answer()).status == 400


async def test_refusals_are_counted_and_told() -> None:
    told: list[int] = []
    async with serving(hello, on_refused=lambda refused: told.append(refused.status)) as served:
        await served.ask(request(host=False))
        assert told == [400]
        assert served.server.stats.refused == {400: 1}
