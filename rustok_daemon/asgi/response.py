"""A response as bytes, from what the application sent; nothing that a client could misread leaves here. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

import msgspec

from .errors import ProtocolMisuse, ResponseInvalid
from .head import TOKEN, Head

_NAME = re.compile(TOKEN + rb"+")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode("ascii"))
    for status in HTTPStatus
    if status.value >= 200
}

_HEEDED = frozenset((b"content-length", b"date", b"connection", b"transfer-encoding"))
_MEANINGS: dict[bytes, bytes] = {}
"""Of names seen before, in any case: the one of ``_HEEDED`` it is, or nothing."""
_MOST_MEANINGS = 1024


class Fields:
    """The headers of a response, checked and encoded, and what they say to the server.

    What answers alike many times makes them once and gives them to ``http.response.start`` as its ``headers``.
    """

    __slots__ = ("closes", "dated", "length", "lines")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Raises ``ResponseInvalid``."""
        self.length: int | None = None
        self.closes = False
        self.dated = False
        lines: list[bytes] = []
        try:
            for name, value in headers:
                meaning = _MEANINGS.get(name)
                if meaning is None:
                    meaning = _learn(name)
                if not meaning or self._keeps(meaning, value):
                    lines.append(name + b": " + value + b"\r\n")
        except (TypeError, ValueError) as error:
            raise ResponseInvalid(f"headers are pairs of bytes: {error}") from error
        block = b"".join(lines)
        if len(block.translate(None, b"\r\n\0")) != len(block) - 2 * len(lines):
            raise ResponseInvalid("a header holds CR, LF or NUL")
        self.lines = block

    def and_lines(self, lines: bytes) -> Fields:
        """These and further ones, whole lines that the caller answers for: no CR, LF or NUL but at their ends."""
        both = Fields.__new__(Fields)
        both.length, both.closes, both.dated = self.length, self.closes, self.dated
        both.lines = self.lines + lines
        return both

    def _keeps(self, meaning: bytes, value: bytes) -> bool:
        """Notes what the header says; whether it is sent as it stands. Framing and persistence are the server's to say."""
        if meaning == b"content-length":
            if self.length is not None or not _LENGTH.fullmatch(value):
                raise ResponseInvalid("Content-Length is one number, given once")
            self.length = int(value)
            return True
        if meaning == b"date":
            self.dated = True
            return True
        if meaning == b"connection":
            self.closes = b"close" in value.lower()
        return False


class WholeResponse(msgspec.Struct, frozen=True):
    """A response in one piece, ready to be sent; one may be kept and given many times.

    ``fields`` hold the Content-Length, unless there is no body.
    """

    status: int
    fields: Fields
    body: bytes = b""


class Response:
    """Frames one response and counts its body against what the head promised."""

    __slots__ = ("_chunked", "_fields", "_left", "_modern", "_silent", "_status", "begun", "keep_alive")

    def __init__(self, head: Head, keep_alive: bool) -> None:
        self._modern = head.version == "1.1"
        self._silent = head.method == "HEAD"
        self._status = b""
        self._fields: Fields | None = None
        self._chunked = False
        self._left: int | None = None
        self.keep_alive = keep_alive
        self.begun = False
        """Whether bytes of the response may have left."""

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]] | Fields) -> None:
        """Takes the head; it leaves with the first piece. Raises ``ResponseInvalid``, ``ProtocolMisuse``."""
        if self._fields is not None:
            raise ProtocolMisuse("the response has been started")
        self._status = _STATUS_LINES.get(status) or _unusual_status_line(status)
        if isinstance(headers, Fields):
            self._fields = headers
        elif status == 204:
            self._fields = Fields([field for field in headers if field[0].lower() != b"content-length"])
        else:
            self._fields = Fields(headers)
        self._left = self._fields.length
        if status in (204, 304):
            self._silent = True

    def frame(self, body: bytes | bytearray | memoryview, more: bool, date: bytes) -> tuple[bytes, bytes, bytes]:
        """What goes before this piece of the body, what of it is sent, and what goes behind it.

        Raises ``ResponseInvalid``, ``ProtocolMisuse``.
        """
        body = body if type(body) is bytes else _as_bytes(body)
        framing = b""
        if self._silent:
            body = b""
        elif self._left is not None:
            self._count(len(body), more)
        elif not self.begun:
            framing = self._framing(len(body), more)
        before = b"" if self.begun else self._head(framing, date)
        if not self._chunked:
            return before, body, b""
        if body:
            before += b"%x\r\n" % len(body)
        return before, body, (b"\r\n" if body else b"") + (b"" if more else b"0\r\n\r\n")

    def _framing(self, length: int, more: bool) -> bytes:
        """How a client that was not told the length learns where the body ends."""
        if not more:
            return b"content-length: %d\r\n" % length
        if self._modern:
            self._chunked = True
            return b"transfer-encoding: chunked\r\n"
        self.keep_alive = False
        return b""

    def _head(self, framing: bytes, date: bytes) -> bytes:
        fields = self._fields
        if fields is None:
            raise ProtocolMisuse("the response has not been started")
        if fields.closes:
            self.keep_alive = False
        if not self.keep_alive:
            end = b"connection: close\r\n\r\n"
        else:
            end = b"\r\n" if self._modern else b"connection: keep-alive\r\n\r\n"
        self.begun = True
        return b"".join((self._status, fields.lines, framing, b"" if fields.dated else date, end))

    def _count(self, length: int, more: bool) -> None:
        assert self._left is not None
        left = self._left = self._left - length
        if left < 0 or (left and not more):
            raise ResponseInvalid(f"the body is {'longer' if left < 0 else 'shorter'} than its Content-Length")


def _learn(name: bytes) -> bytes:
    """The meaning of a name seen for the first time. Few are used, so they are remembered."""
    if not _NAME.fullmatch(name):
        raise ResponseInvalid(f"{name!r} is not the name of a header")
    lowered = bytes(name).lower()
    meaning = lowered if lowered in _HEEDED else b""
    if len(_MEANINGS) < _MOST_MEANINGS:
        _MEANINGS[bytes(name)] = meaning
    return meaning


def _unusual_status_line(status: object) -> bytes:
    """Raises ``ResponseInvalid`` for anything but a final status."""
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise ResponseInvalid(f"{status!r} is not the status of a response")
    return b"HTTP/1.1 %d \r\n" % status


def _as_bytes(body: object) -> bytes:
    if not isinstance(body, bytearray | memoryview):
        raise ResponseInvalid(f"a body is bytes, not {type(body).__name__}")
    return bytes(body)
