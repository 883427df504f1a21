"""The bodies of requests as state machines over bytes: no I/O here, and nothing that depends on how bytes were split.

Chunks are taken apart here and not by httptools: it keeps a line or a trailer that never ends in memory, and where
in a read a limit was passed cannot be told from its callbacks.
"""

from __future__ import annotations

import enum
import re
from typing import Protocol

from .errors import Refused
from .head import FIELD_LINE, WRONG_ANYWHERE

_MAX_LINE = 4 << 10
"""Of a chunk's size with its extensions, which nobody reads."""
_MAX_TRAILERS = 8 << 10

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;[\t\x20-\x7e\x80-\xff]*)?[ \t]*")
_TRAILERS = re.compile(rb"(?:" + FIELD_LINE + rb")*+\r\n")


class Body(Protocol):
    """Takes a body out of a stream of bytes."""

    complete: bool
    fault: Refused | None
    """Why the rest cannot be taken; what was returned so far is good."""

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What of ``data`` is body, and what is left over: the next request, or nothing."""


class LengthBody:
    """A body of known length."""

    __slots__ = ("_remaining", "complete", "fault")

    def __init__(self, length: int) -> None:
        self._remaining = length
        self.complete = length == 0
        self.fault: Refused | None = None

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        part = data[: self._remaining]
        self._remaining -= len(part)
        self.complete = self._remaining == 0
        return part, data[len(part) :]


class _Expects(enum.Enum):
    SIZE = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()
    TRAILERS = enum.auto()


class ChunkedBody:
    """A body in chunks (RFC 9112, section 7.1). Extensions and trailers are checked and dropped."""

    __slots__ = ("_chunk", "_expects", "_line", "_max", "_received", "complete", "fault")

    def __init__(self, max_body: int | None) -> None:
        self._expects = _Expects.SIZE
        self._max = max_body
        self._received = 0
        self._chunk = 0
        self._line = b""
        self.complete = False
        self.fault: Refused | None = None

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        parts: list[bytes] = []
        if self.fault is None:
            try:
                data = self._advance(self._line + data, parts)
            except Refused as fault:
                self.fault = fault
        return b"".join(parts), data

    def _advance(self, data: bytes, parts: list[bytes]) -> bytes:
        """Each step returns how far it has come, and ``len(data)`` when it waits for more."""
        at = 0
        self._line = b""
        while at < len(data) and not self.complete:
            match self._expects:
                case _Expects.SIZE:
                    at = self._size(data, at)
                case _Expects.DATA:
                    at = self._data(data, at, parts)
                case _Expects.DATA_END:
                    at = self._data_end(data, at)
                case _Expects.TRAILERS:
                    at = self._trailers(data, at)
        return data[at:]

    def _size(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n", at, at + _MAX_LINE)
        if end < 0:
            return self._keep(data, at, _MAX_LINE, "a chunk's first line is too long")
        match = _SIZE_LINE.fullmatch(data, at, end)
        if match is None:
            raise _fault(data, at, end + 2, "a chunk's size is malformed")
        self._begin(int(match[1], 16))
        return end + 2

    def _begin(self, size: int) -> None:
        self._received += size
        if self._max is not None and self._received > self._max:
            raise too_large(self._max)
        self._chunk = size
        self._expects = _Expects.DATA if size else _Expects.TRAILERS

    def _data(self, data: bytes, at: int, parts: list[bytes]) -> int:
        part = data[at : at + self._chunk]
        parts.append(part)
        self._chunk -= len(part)
        if self._chunk == 0:
            self._expects = _Expects.DATA_END
        return at + len(part)

    def _data_end(self, data: bytes, at: int) -> int:
        if not b"\r\n".startswith(data[at : at + 2]):
            raise _malformed("a chunk is longer than its size")
        if len(data) - at < 2:
            return self._keep(data, at, 2, "")
        self._expects = _Expects.SIZE
        return at + 2

    def _trailers(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            end = at + 2
        elif (last := data.find(b"\r\n\r\n", at, at + _MAX_TRAILERS)) >= 0:
            end = last + 4
        else:
            return self._keep(data, at, _MAX_TRAILERS, "the trailers are too long")
        if _TRAILERS.fullmatch(data, at, end) is None:
            raise _fault(data, at, end, "a trailer is malformed")
        self.complete = True
        return end

    def _keep(self, data: bytes, at: int, limit: int, detail: str) -> int:
        """Waits for the rest of a line, unless no rest can make it good."""
        if len(data) - at >= limit or WRONG_ANYWHERE.search(data, at):
            raise _fault(data, at, at + limit, detail)
        self._line = data[at:]
        return len(data)


def too_large(limit: int) -> Refused:
    """413, naming the limit."""
    return Refused(413, "body-too-large", f"the body is larger than {limit} bytes")


def _fault(data: bytes, start: int, end: int, detail: str) -> Refused:
    """What is wrong between two places: first what a single byte shows, since it may have come alone."""
    if WRONG_ANYWHERE.search(data, start, end):
        return _malformed("control characters, and line ends other than CR LF, are not allowed between chunks")
    return _malformed(detail)


def _malformed(detail: str) -> Refused:
    return Refused(400, "bad-request", detail)
