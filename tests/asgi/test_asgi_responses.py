"""Applications that break the rules: a clean 500 or a cut connection, logged once, and never bytes a client misreads."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from rustok_daemon.asgi import ClientDisconnected
from tests.asgi.asgi_apps import respond, streaming
from tests.asgi.asgi_clients import request, serving

START: dict[str, Any] = {"type": "http.response.start", "status": 200}


def body(data: object, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def sending(*messages: dict[str, Any], fails: bool = False) -> Any:
    """Sends these and returns, or raises."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(dict(message))
        if fails:
            raise ValueError("the application's own fault")

    return app


def headed(*headers: Any, **more: Any) -> dict[str, Any]:
    return {**START, "headers": list(headers), **more}


BEFORE_ANYTHING_LEFT = {
    "raises at once": sending(fails=True),
    "raises after the start": sending(START, fails=True),
    "returns without a word": sending(),
    "returns after the start": sending(START),
    "sends a body without a start": sending(body(b"x")),
    "starts twice": sending(START, START),
    "sends another protocol's message": sending({"type": "websocket.accept"}),
    "sends a body longer than said": sending(headed((b"content-length", b"1")), body(b"ab")),
    "sends a body shorter than said": sending(headed((b"content-length", b"3")), body(b"ab")),
    "sends text": sending(START, body("text")),
    "says its length twice": sending(headed((b"content-length", b"1"), (b"content-length", b"1")), body(b"a")),
    "says a length that is none": sending(headed((b"content-length", b"1, 1")), body(b"a")),
    "injects a header by CR LF": sending(headed((b"x", b"a\r\nset-cookie: b")), body(b"")),
    "injects a header by LF": sending(headed((b"x", b"a\nset-cookie: b")), body(b"")),
    "ends a value with CR": sending(headed((b"x", b"a\r")), body(b"")),
    "puts NUL into a value": sending(headed((b"x", b"a\0")), body(b"")),
    "puts CR LF into a name": sending(headed((b"x: a\r\ny", b"b")), body(b"")),
    "puts a blank into a name": sending(headed((b"x y", b"b")), body(b"")),
    "sends an empty name": sending(headed((b"", b"b")), body(b"")),
    "sends headers of text": sending(headed(("x", "y")), body(b"")),
    "sends a value of text": sending(headed((b"x", "y")), body(b"")),
    "sends a header that is no pair": sending(headed((b"x",)), body(b"")),
    "sends an interim status": sending(headed(status=101), body(b"")),
    "sends a status that is no number": sending(headed(status="200"), body(b"")),
}


@pytest.mark.parametrize("app", BEFORE_ANYTHING_LEFT.values(), ids=BEFORE_ANYTHING_LEFT.keys())
async def test_is_answered_with_500_logged_once_and_closed(app: Any) -> None:
    with capture_logs() as logs:
        async with serving(app) as served, served.client() as client:
            answer = await client.ask(request())
            assert answer.status == 500
            assert answer.problem["type"] == "urn:rustok:internal-error"
            assert b"fault" not in answer.body
            assert answer.header(b"set-cookie") is None
            assert answer.header(b"connection") == b"close"
            assert await client.closed()
            assert served.server.stats.refused == {500: 1}
    assert [entry["log_level"] for entry in logs] == ["error"]


AFTER_THE_HEAD_LEFT = {
    "raises in a chunked body": sending(START, body(b"part", True), fails=True),
    "raises in a body of known length": sending(headed((b"content-length", b"9")), body(b"part", True), fails=True),
    "returns in a chunked body": sending(START, body(b"part", True)),
    "returns in a body of known length": sending(headed((b"content-length", b"9")), body(b"part", True)),
    "goes on beyond its length": sending(headed((b"content-length", b"4")), body(b"part", True), body(b"HTTP/1.1 200")),
    "ends before its length": sending(headed((b"content-length", b"9")), body(b"part", True), body(b"")),
    "starts anew": sending(START, body(b"part", True), START),
}


@pytest.mark.parametrize("app", AFTER_THE_HEAD_LEFT.values(), ids=AFTER_THE_HEAD_LEFT.keys())
async def test_is_cut_without_an_end_and_logged_once(app: Any) -> None:
    with capture_logs() as logs:
        async with serving(app) as served, served.client() as client:
            raw = b""
            await client.send(request())
            while data := await client.read():
                raw += data
            assert raw.count(b"HTTP/1.1") == 1
            assert raw.partition(b"\r\n\r\n")[2] in (b"4\r\npart\r\n", b"part")
            assert served.server.stats.cut == 1
    assert [entry["log_level"] for entry in logs] == ["error"]


async def test_a_response_without_length_that_breaks_off_is_reset_for_http_1_0() -> None:
    """A close would look like its end."""
    async with serving(AFTER_THE_HEAD_LEFT["raises in a chunked body"]) as served, served.client() as client:
        await client.send(request(version="1.0"))
        with pytest.raises(trio.BrokenResourceError):
            while await client.stream.receive_some():
                pass


@pytest.mark.parametrize("late", [body(b"smuggled"), START], ids=["a body", "a start"])
async def test_what_is_sent_after_the_end_goes_nowhere(late: dict[str, Any]) -> None:
    with capture_logs() as logs:
        async with serving(sending(START, body(b"whole"), late)) as served, served.client() as client:
            for _ in range(2):
                answer = await client.ask(request())
                assert (answer.status, answer.body) == (200, b"whole")
    assert [entry["log_level"] for entry in logs] == ["error", "error"]


async def test_a_failure_after_the_end_is_logged_and_the_connection_goes_on() -> None:
    with capture_logs() as logs:
        async with serving(sending(START, body(b"whole"), fails=True)) as served, served.client() as client:
            for _ in range(2):
                assert (await client.ask(request())).body == b"whole"
    assert [type(entry["exc_info"]) for entry in logs] == [ValueError, ValueError]


async def test_an_answer_is_there_before_the_application_returns() -> None:
    """As with a background task."""
    leave = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"done")
        await leave.wait()

    async with serving(app) as served, served.client() as client:
        with trio.fail_after(5):
            assert (await client.ask(request())).body == b"done"
        leave.set()
        with trio.fail_after(5):
            assert (await client.ask(request())).body == b"done"


async def test_a_send_cancelled_half_way_is_the_last() -> None:
    """What came behind it would be read as its rest."""
    refused = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        with trio.move_on_after(0.05):
            await send(body(b"a" * (32 << 20), True))
        with pytest.raises(ClientDisconnected):
            await send(body(b"b"))
        refused.set()

    async with serving(app) as served, served.client() as client:
        await client.send(request())
        await refused.wait()
        assert b"b" * 2 not in await client.rest()


async def test_every_kind_of_bytes_may_be_a_body() -> None:
    app = streaming(bytearray(b"one"), memoryview(b"two"), b"three")  # type: ignore[arg-type]
    async with serving(app) as served:
        assert (await served.ask(request())).body == b"onetwothree"
