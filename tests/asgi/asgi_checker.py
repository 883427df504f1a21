"""Holds a server to the ASGI specification: an application between it and another, which looks at every message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HTTP_SCOPE = {"type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path"}
HTTP_SCOPE |= {"headers", "client", "server", "extensions"}
WEBSOCKET_SCOPE = HTTP_SCOPE - {"method"} | {"subprotocols"}

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")


class Checker:
    """Passes everything on to ``app`` and counts what it has seen; a violation fails the request and is kept."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.requests = 0
        self.messages = 0
        self.violations: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests += 1
        self._hold(check_scope, scope)
        watch = HttpWatch() if scope["type"] == "http" else WebSocketWatch()

        async def checked_receive() -> Any:
            message = await receive()
            self.messages += 1
            self._hold(watch.received, message)
            return message

        async def checked_send(message: Any) -> None:
            self.messages += 1
            result = await send(message)
            self._hold(check_is, result, type(None))
            watch.sent(message)

        await self.app(scope, checked_receive, checked_send)

    def _hold(self, check: Any, *arguments: Any) -> None:
        try:
            check(*arguments)
        except AssertionError as violation:
            self.violations.append(f"{check.__name__}: {violation} in {arguments}")
            raise


def check_is(value: Any, *kinds: type) -> None:
    assert type(value) in kinds, f"{value!r} is not of {kinds}"


def check_scope(scope: Any) -> None:
    check_is(scope, dict)
    assert scope["type"] in ("http", "websocket")
    assert set(scope) == (HTTP_SCOPE if scope["type"] == "http" else WEBSOCKET_SCOPE), set(scope)
    assert scope["asgi"]["version"] == "3.0"
    assert re.fullmatch(r"2\.[0-5]", scope["asgi"]["spec_version"])
    assert scope["http_version"] in ("1.0", "1.1")
    assert scope["scheme"] == ("http" if scope["type"] == "http" else "ws")
    for key in ("path", "root_path"):
        check_is(scope[key], str)
    for key in ("raw_path", "query_string"):
        check_is(scope[key], bytes)
    assert b"?" not in scope["raw_path"]
    if scope["type"] == "http":
        check_is(scope["method"], str)
        assert scope["method"] == scope["method"].upper()
    else:
        check_is(scope["subprotocols"], list)
        assert all(type(name) is str for name in scope["subprotocols"])
    check_headers(scope["headers"])
    check_addresses(scope)
    check_is(scope["extensions"], dict)


def check_headers(headers: Any) -> None:
    check_is(headers, list)
    for name, value in headers:
        check_is(name, bytes)
        check_is(value, bytes)
        assert _NAME.fullmatch(name), name
        assert value == value.strip(b" \t"), value


def check_addresses(scope: Mapping[str, Any]) -> None:
    if scope["client"] is not None:
        host, port = scope["client"]
        check_is(host, str)
        check_is(port, int)
    host, port = scope["server"]
    check_is(host, str)
    check_is(port, int, type(None))


class HttpWatch:
    """What may still come, after what has come."""

    def __init__(self) -> None:
        self.body_ended = False
        self.disconnected = False
        self.response_ended = False

    def received(self, message: Any) -> None:
        check_is(message, dict)
        if message["type"] == "http.disconnect":
            assert set(message) == {"type"}
            self.disconnected = True
            return
        assert message["type"] == "http.request"
        assert set(message) == {"type", "body", "more_body"}
        check_is(message["body"], bytes)
        check_is(message["more_body"], bool)
        assert not self.body_ended, "a body goes on after its end"
        assert not self.disconnected, "a body goes on after the disconnection"
        self.body_ended = not message["more_body"]

    def sent(self, message: Any) -> None:
        self.response_ended = message["type"] == "http.response.body" and not message.get("more_body", False)


class WebSocketWatch:
    """The same for a WebSocket."""

    def __init__(self) -> None:
        self.connected = False
        self.accepted = False
        self.disconnected = False

    def received(self, message: Any) -> None:
        check_is(message, dict)
        kind = message["type"]
        assert self.connected == (kind != "websocket.connect"), "connect comes first and once"
        if kind == "websocket.connect":
            self.connected = True
        elif kind == "websocket.receive":
            assert self.accepted, "a message before it was accepted"
            assert not self.disconnected, "a message after the disconnection"
            check_is(message["bytes"], bytes, type(None))
            check_is(message["text"], str, type(None))
            assert (message["bytes"] is None) != (message["text"] is None)
        else:
            assert kind == "websocket.disconnect"
            check_is(message["code"], int)
            check_is(message["reason"], str)
            self.disconnected = True

    def sent(self, message: Any) -> None:
        self.accepted = self.accepted or message["type"] == "websocket.accept"
