"""The head of a response, from what the application sent; nothing a client could misread leaves here."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from http import HTTPStatus

from .errors import ResponseInvalid
from .head import TOKEN


class _Role(enum.IntEnum):
    PLAIN = 0
    LENGTH = 1
    DATE = 2
    CONNECTION = 3
    IGNORED = 4


_ROLES: dict[bytes, _Role] = {
    b"content-length": _Role.LENGTH,
    b"date": _Role.DATE,
    b"connection": _Role.CONNECTION,
    # Framing is the server's: ASGI has it ignore this one.
    b"transfer-encoding": _Role.IGNORED,
}
_MOST_ROLES = 1024
_NAME = re.compile(TOKEN + rb"+")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode("ascii"))
    for status in HTTPStatus
    if status.value >= 200
}


class Fields:
    """The headers of one response, encoded, and what they say to the server."""

    __slots__ = ("closes", "dated", "length", "lines")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Raises ``ResponseInvalid``."""
        self.length: int | None = None
        self.closes = False
        self.dated = False
        lines: list[bytes] = []
        try:
            for name, value in headers:
                role = _ROLES.get(name)
                if role is None:
                    role = _learn(name)
                if not role or self._keeps(role, value):
                    lines.append(b"%b: %b\r\n" % (name, value))
        except (TypeError, ValueError) as error:
            raise ResponseInvalid(f"headers are pairs of bytes: {error}") from error
        block = b"".join(lines)
        if block.count(b"\n") != len(lines) or block.count(b"\r") != len(lines) or b"\0" in block:
            raise ResponseInvalid("a header holds CR, LF or NUL")
        self.lines = block

    def _keeps(self, role: _Role, value: bytes) -> bool:
        """Notes what the header says; whether it is sent as it stands."""
        if role is _Role.LENGTH:
            if self.length is not None or not _LENGTH.fullmatch(value):
                raise ResponseInvalid("Content-Length is one number, given once")
            self.length = int(value)
        elif role is _Role.DATE:
            self.dated = True
            return True
        elif role is _Role.CONNECTION:
            self.closes = b"close" in value.lower()
        return False


def status_line(status: object) -> bytes:
    """Raises ``ResponseInvalid`` for anything but a final status."""
    line = _STATUS_LINES.get(status)  # type: ignore[call-overload]
    if line is not None:
        return bytes(line)
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise ResponseInvalid(f"{status!r} is not the status of a response")
    return b"HTTP/1.1 %d \r\n" % status


def _learn(name: bytes) -> _Role:
    """The role of a name seen for the first time, in any case. Few are used, so they are remembered."""
    if not _NAME.fullmatch(name):
        raise ResponseInvalid(f"{name!r} is not the name of a header")
    role = _ROLES.get(name.lower(), _Role.PLAIN)
    if len(_ROLES) < _MOST_ROLES:
        _ROLES[bytes(name)] = role
    return role
