"""Applications that the tests serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Handler = Callable[[Any, Any, Any], Awaitable[None]]


async def read_body(receive: Any) -> bytes | None:
    """The whole body, or ``None`` if the client went away before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)


async def respond(
    send: Any, body: bytes = b"", status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers or []})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Method, target and body back, when all of it is there."""
    body = await read_body(receive)
    if body is None:
        return
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    await respond(send, b"%b %b %b" % (scope["method"].encode(), target, body))


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, b"hello", headers=[(b"content-type", b"text/plain")])


def streaming(*parts: bytes, headers: list[tuple[bytes, bytes]] | None = None, status: int = 200) -> Handler:
    """Sends the parts one after the other, the last with ``more_body`` false."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers or []})
        for index, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": index < len(parts)})

    return app
