"""WebSockets: the token comes as header or as subprotocol, and who may not enter is told why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from trio_websocket import ConnectionRejected, open_websocket_url

from rustok_daemon.declarations import Route
from rustok_daemon.supervision.errors import ActorUnavailable

from .serving import ADMIN, READER, UNCHECKABLE, Served, get, serving


async def greet(scope: Any, receive: Any, send: Any) -> None:
    call = scope["state"]["rustok"]
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": f"{call.principal.name} by {call.request_id}"})
    await receive()


async def unavailable(scope: Any, receive: Any, send: Any) -> None:
    raise ActorUnavailable("stream", "it is stopped")


async def page(call: Any) -> None:
    return None


ROUTES = (
    Route(method="WEBSOCKET", path="/live", handler=greet, summary="-", scope="things:read", raw=True),
    Route(method="WEBSOCKET", path="/live/{id}", handler=greet, summary="-", scope="things:read", raw=True),
    Route(method="WEBSOCKET", path="/down", handler=unavailable, summary="-", scope=None, raw=True),
    get(path="/page", handler=page),
)


def at(served: Served, path: str, token: str | None = None, **options: Any) -> Any:
    headers = [(b"x-request-id", b"ws-1")]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    return open_websocket_url(f"ws://127.0.0.1:{served.port}{path}", extra_headers=headers, **options)


@pytest.mark.parametrize("path", ["/live", "/live/7"])
async def test_with_its_token_as_a_header(tmp_path: Path, path: str) -> None:
    async with serving(ROUTES, tmp_path) as served:
        async with at(served, path, READER) as socket:
            assert await socket.get_message() == "reader by ws-1"
            assert (b"x-request-id", b"ws-1") in socket.handshake_headers
        assert served.metrics.series("WEBSOCKET", "/live" if path == "/live" else "/live/{id}").statuses == {101: 1}


async def test_with_its_token_as_a_subprotocol_that_is_then_chosen(tmp_path: Path) -> None:
    """A browser cannot send headers, and fails a handshake that does not choose what it offered."""
    async with (
        serving(ROUTES, tmp_path) as served,
        at(served, "/live", subprotocols=["chat", f"bearer.{ADMIN}"]) as socket,
    ):
        assert await socket.get_message() == "admin by ws-1"
        assert socket.subprotocol == f"bearer.{ADMIN}"


@pytest.mark.parametrize(
    ("path", "token", "status", "name"),
    [
        ("/live", None, 401, "unauthorized"),
        ("/live", "nobody", 401, "unauthorized"),
        ("/live", UNCHECKABLE, 503, "unavailable"),
        ("/down", None, 503, "unavailable"),
        ("/page", ADMIN, 404, "not-found"),
        ("/nowhere", ADMIN, 404, "not-found"),
    ],
)
async def test_a_handshake_is_denied_with_a_problem(
    tmp_path: Path, path: str, token: str | None, status: int, name: str
) -> None:
    async with serving(ROUTES, tmp_path) as served:
        with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True, allow_unwrapped=True) as caught:
            async with at(served, path, token):
                pass
    rejected = _only(caught.value)
    assert rejected.status_code == status
    assert (b"content-type", b"application/problem+json") in rejected.headers
    assert (b"x-request-id", b"ws-1") in rejected.headers
    problem = msgspec.json.decode(rejected.body)
    assert (problem["type"], problem["request_id"]) == (f"urn:rustok:{name}", "ws-1")


def _only(error: BaseException) -> ConnectionRejected:
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, ConnectionRejected)
    return error


async def test_a_plain_request_to_a_websocket_is_405(tmp_path: Path) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        answer = await http.get("/live")
    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS")
