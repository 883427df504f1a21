"""The head of a request, checked before anything of it is believed.

Two parsers must agree. A regular expression holds the whole head to the grammar and finds its end; httptools
takes the headers apart and knows the methods. httptools alone is too lenient (it passes HTTP/2.0, PRI, a
Transfer-Encoding of ``gzip, chunked``, and blanks behind a value).

What is refused, and with which status, depends on the bytes alone and never on how they were split: see ``_diagnose``.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from .errors import Refused

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
FIELD_LINE: Final = TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n"

_HEAD = re.compile(
    rb"(?:\r\n)?(" + TOKEN + rb"++) ([\x21\x22\x24-\x7e]++) HTTP/1\.([01])\r\n(?:" + FIELD_LINE + rb")*+\r\n"
)
_NOT_A_START = re.compile(rb"(?!\r\n|\r\Z|" + TOKEN + rb")")
WRONG_ANYWHERE: Final = re.compile(rb"[^\t\r\n\x20-\x7e\x80-\xff]|\r[^\n]|(?<!\r)\n")
_END = b"\r\n\r\n"

_DECIDING: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade", b"proxy-connection"),
)
"""Headers that the server acts upon, and one that httptools does."""

_LENGTH = re.compile(rb"[0-9]{1,20}")
_NOT_SERVED = frozenset(("CONNECT", "PRI", "SOURCE"))
_METHODS: dict[bytes, str] = {}

CHUNKED: Final = -1
"""``Head.length`` of a body whose length shows at its end."""


class Head(msgspec.Struct, frozen=True):
    """A request as far as its blank line. Header names are lower-case, values without blanks around them."""

    method: str
    target: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    length: int = 0
    keep_alive: bool = True
    expects_continue: bool = False
    upgrade: bytes = b""


class HeadReader:
    """Reads the heads of one connection, one after the other."""

    __slots__ = ("_headers", "_max", "_parser", "_seen", "end")

    def __init__(self, max_head: int) -> None:
        self._max = max_head
        self._parser = HttpRequestParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._seen = 0
        self.end = 0
        """Where the last head ended in its buffer."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by httptools."""
        self._headers.append((name.lower(), value))

    def read(self, buffer: bytes, position: int) -> Head | None:
        """The head that begins at ``position``, or ``None`` while it is incomplete. Raises ``Refused``."""
        if self._seen and buffer.find(_END, max(position, position + self._seen - 3)) < 0:
            match = None
        else:
            match = _HEAD.match(buffer, position)
        if match is None:
            self._diagnose(buffer, position)
            return None
        self.end = match.end()
        if self.end - position > self._max:
            _too_large()
        self._seen = 0
        return self._parse(buffer[position : self.end], match)

    def _parse(self, text: bytes, match: re.Match[bytes]) -> Head:
        headers = self._headers = []
        try:
            self._parser.feed_data(text)
        except HttpParserUpgrade:
            pass
        except HttpParserError as error:
            raise _bad(str(error)) from None
        if b" \r\n" in text or b"\t\r\n" in text:
            headers[:] = [(name, value.rstrip(b" \t")) for name, value in headers]
        method, target, version = match.groups()
        name = _METHODS.get(method) or _learn(method)
        deciding = [field for field in headers if field[0] in _DECIDING]
        if version == b"1" and len(deciding) == 1 and deciding[0][0] == b"host":
            return Head(name, target, "1.1", headers)
        # What comes next is not httptools' business: it would wait for a body, or for nothing after an upgrade.
        self._parser = HttpRequestParser(self)
        return _decide(name, target, version, headers, deciding)

    def _diagnose(self, buffer: bytes, position: int) -> None:
        """Refuses what no further byte can repair, in the order in which single bytes would show it."""
        limit = position + self._max
        if _NOT_A_START.match(buffer, position) and position < len(buffer):
            raise _bad("this is not a request")
        end = buffer.find(_END, max(position, position + self._seen - 3), limit)
        checked = limit if end < 0 else end + len(_END)
        if WRONG_ANYWHERE.search(buffer, max(position, position + self._seen - 1), checked):
            raise _bad("control characters, and line ends other than CR LF, are not allowed in a head")
        if end >= 0:
            raise _bad("the request line or a header is malformed")
        if len(buffer) > limit:
            _too_large()
        self._seen = len(buffer) - position


def _decide(
    method: str, target: bytes, version: bytes, headers: list[tuple[bytes, bytes]], deciding: list[tuple[bytes, bytes]]
) -> Head:
    """Works out framing and persistence from the headers that decide them (RFC 9112, sections 3.2, 6 and 9)."""
    modern = version == b"1"
    hosts = [name for name, _ in deciding].count(b"host")
    if hosts > 1 or (modern and hosts == 0):
        raise _bad("a request has exactly one Host header")
    values: dict[bytes, bytes] = {}
    for name, value in deciding:
        values[name] = values[name] + b"," + value if name in values else value
    length = _body_length(values.get(b"content-length"), values.get(b"transfer-encoding"))
    options = _tokens(values.get(b"connection", b""))
    return Head(
        method=method,
        target=target,
        version="1.1" if modern else "1.0",
        headers=headers,
        length=length,
        keep_alive=_persists(modern, options, length),
        expects_continue=modern and length != 0 and b"100-continue" in _tokens(values.get(b"expect", b"")),
        upgrade=values.get(b"upgrade", b"") if modern and b"upgrade" in options else b"",
    )


def _body_length(length: bytes | None, coding: bytes | None) -> int:
    """A header given twice is a list by now, and neither of these may be one."""
    if coding is not None:
        if length is not None:
            raise _bad("Content-Length and Transfer-Encoding exclude each other")
        if coding.lower() != b"chunked":
            raise _bad("the only Transfer-Encoding is chunked")
        return CHUNKED
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise _bad("Content-Length is one number")
    return int(length)


def _persists(modern: bool, options: set[bytes], length: int) -> bool:
    """HTTP/1.0 knows no chunks: what came through a proxy of that age may be framed otherwise (RFC 9112, 6.1)."""
    if b"close" in options:
        return False
    return modern or (b"keep-alive" in options and length != CHUNKED)


def _tokens(value: bytes) -> set[bytes]:
    return {token.strip(b" \t") for token in value.lower().split(b",")} if value else set()


def _learn(method: bytes) -> str:
    """httptools has passed it, so there are few; what is no request to an origin server stays out."""
    name = method.decode("ascii")
    if name in _NOT_SERVED:
        raise _bad(f"{name} is not served here")
    _METHODS[method] = name
    return name


def _bad(detail: str) -> Refused:
    return Refused(400, "bad-request", detail)


def _too_large() -> NoReturn:
    raise Refused(431, "head-too-large", "request line and headers are too large")
