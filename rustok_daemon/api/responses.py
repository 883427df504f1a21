"""What handlers return, as ASGI messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any

import msgspec

from rustok_daemon.asgi import Fields, Send, WholeResponse

from . import problems
from .call import Problem, Reply

JSON = "application/json"
_encode = msgspec.json.Encoder().encode

Headers = list[tuple[bytes, bytes]]


async def send_result(send: Send, result: Any, status: int, *, silent: bool) -> None:
    """Answers with what a handler returned. ``silent``: a HEAD, whose body nobody is going to see."""
    if not isinstance(result, Reply):
        await send_whole(send, status, JSON, None if result is None else _encode(result))
    elif isinstance(result.body, AsyncIterator):
        await _send_stream(send, result, result.body, silent)
    else:
        body = result.body
        encoded = body if body is None or isinstance(body, bytes) else _encode(body)
        await send_whole(send, result.status, result.content_type, encoded, result.headers.items())


async def send_problem(send: Send, problem: Problem, request_id: str) -> None:
    """A problem as RFC 9457 has it."""
    body = problems.encode(problem, request_id)
    await send_whole(send, problem.status, problems.CONTENT_TYPE, body, problem.headers.items())


def whole_problem(problem: Problem, request_id: str) -> WholeResponse:
    """The same, for who answers at once."""
    body = problems.encode(problem, request_id)
    return WholeResponse(
        problem.status, Fields(_whole_fields(problems.CONTENT_TYPE, body, problem.headers.items())), body
    )


async def send_whole(
    send: Send, status: int, content_type: str, body: bytes | None, headers: Iterable[tuple[str, str]] = ()
) -> None:
    """An answer in one piece."""
    if body is not None:
        fields = _whole_fields(content_type, body, headers)
    else:
        fields = _fields(headers)
        if status not in (204, 304):
            fields.append((b"content-length", b"0"))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body or b""})


async def _send_stream(send: Send, reply: Reply, parts: AsyncIterator[bytes], silent: bool) -> None:
    fields = [*_fields(reply.headers.items()), (b"content-type", reply.content_type.encode("latin-1"))]
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": fields})
        if not silent:
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if isinstance(parts, AsyncGenerator):
            await parts.aclose()


def _whole_fields(content_type: str, body: bytes, headers: Iterable[tuple[str, str]]) -> Headers:
    type_and_length = [(b"content-type", content_type.encode("latin-1")), (b"content-length", b"%d" % len(body))]
    return _fields(headers) + type_and_length


def _fields(headers: Iterable[tuple[str, str]]) -> Headers:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
