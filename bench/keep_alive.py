"""Many GETs over a few kept connections, each after the answer to the one before; checks that all are 200."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

CONNECTIONS = 16


async def get_all(port: int, paths: Sequence[str], headers: Mapping[str, str]) -> None:
    """Raises ``RuntimeError`` with the first answer that is not 200."""
    head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "127.0.0.1", **headers}.items())
    async with trio.open_nursery() as nursery:
        for first in range(CONNECTIONS):
            nursery.start_soon(_get_in_turn, port, paths[first::CONNECTIONS], head)


async def _get_in_turn(port: int, paths: Sequence[str], head: str) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        for path in paths:
            await stream.send_all(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
            await _read_answer(stream)


async def _read_answer(stream: trio.SocketStream) -> None:
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += await _some(stream)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += await _some(stream)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"not 200: {(head + body).decode(errors='replace')}")


async def _some(stream: trio.SocketStream) -> bytes:
    data = await stream.receive_some()
    if not data:
        raise RuntimeError("the connection ended in the middle of an answer")
    return bytes(data)
