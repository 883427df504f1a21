"""Requests by the thousand: good ones, and what becomes of them when a few bytes are changed. The same for a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

import h11

from tests.asgi.asgi_clients import chunked, request

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW", "CONNECT", "get")
TARGETS = ("/", "/a/b?c=d", "/%20%c3%a9", "*", "http://h/p?q", "//x", "/a?b?c", "/" + "l" * 60, "no-path", "/#f")
HEADERS = (
    "Accept: */*",
    "X-Empty:",
    "X-Blank: \t ",
    "X-Inner: a  \t b",
    "X-Latin: caf\xe9",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: Upgrade",
    "Upgrade: h2c",
    "Expect: 100-continue",
    "Cookie: a=b; c=d",
    "Host: other.org",
    "Content-Length: 3",
    "Content-Length: 0",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "TE: trailers",
)
SPLICES = (
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"\x7f",
    b"\x80",
    b"\x0b",
    b",",
    b";",
    b"0",
    b"\r\n ",
    b"\r\n\r\n",
)
ENDS = (b"0\r\n\r\n", b"0;x=y\r\nA: b\r\n\r\n", b"00\r\nA:\r\n\r\n", b"0 \r\n\r\n")


def corpus(seed: int, count: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(count):
        raw = b"".join(_good(chance) for _ in range(chance.choice((1, 1, 1, 2))))
        for _ in range(chance.choice((0, 0, 1, 1, 2))):
            raw = _changed(chance, raw)
        yield raw


def _good(chance: random.Random) -> bytes:
    """A request that is good more often than not."""
    headers = chance.sample(HEADERS, chance.choice((0, 0, 1, 2, 3)))
    method = chance.choice(METHODS[: chance.choice((7, 7, 7, 10))])
    options = {"version": chance.choice(("1.1",) * 6 + ("1.0", "1.0", "1.2", "2.0")), "host": chance.random() < 0.95}
    body: bytes = chance.choice((b"", b"", b"abc", b"x" * 40))
    if chance.random() < 0.3:
        parts = [body] if body else []
        end = chance.choice(ENDS)
        head = request(method, chance.choice(TARGETS), "Transfer-Encoding: chunked", *headers, **options)  # type: ignore[arg-type]
        return head + chunked(*parts, end=end)
    return request(method, chance.choice(TARGETS), *headers, body=body, **options)  # type: ignore[arg-type]


def _changed(chance: random.Random, raw: bytes) -> bytes:
    at = chance.randrange(len(raw) + 1)
    match chance.randrange(5):
        case 0:
            return raw[:at] + chance.choice(SPLICES) + raw[at:]
        case 1:
            return raw[:at] + raw[at + chance.randrange(1, 4) :]
        case 2:
            return raw[:at] + bytes((chance.randrange(256),)) + raw[at + 1 :]
        case 3:
            lines = raw.split(b"\r\n")
            lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
            return b"\r\n".join(lines)
        case _:
            return raw.replace(b"\r\n", b"\n", 1) if chance.random() < 0.5 else raw[:at]


def h11_refuses(raw: bytes) -> bool:
    """Whether h11, with its limit set to ours, refuses any of the requests; a leading blank line is let pass."""
    while raw := raw.removeprefix(b"\r\n"):
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=32 << 10)
        parser.receive_data(raw)
        modern = True
        try:
            while not isinstance(event := parser.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return False
                if isinstance(event, h11.Request):
                    modern = event.http_version != b"1.0"
        except h11.RemoteProtocolError:
            return True
        if parser.their_state is h11.MUST_CLOSE or not modern:
            return False
        raw = parser.trailing_data[0]
    return False
