"""The target of a request line: where it leads, and the host it may bring along (RFC 9112, section 3.2)."""

from __future__ import annotations

import re
from urllib.parse import unquote

from .errors import Refused

_ABSOLUTE = re.compile(rb"https?://([^/?@]+)(/[^?]*)?(?:\?(.*))?", re.IGNORECASE)


def split(target: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[str, bytes, bytes]:
    """Path (percent-decoded), raw path, query. The host of an absolute target takes the place of the Host header.

    Raises ``Refused`` for a target that names no path.
    """
    if target[0] == 0x2F:
        raw, _, query = target.partition(b"?")
    elif target == b"*":
        raw, query = target, b""
    else:
        raw, query = _absolute(target, headers)
    path = raw.decode("ascii")
    return (unquote(path) if "%" in path else path), raw, query


def _absolute(target: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise Refused(400, "bad-request", "the target is neither a path nor an http URL")
    headers[:] = [(b"host", match[1]), *(field for field in headers if field[0] != b"host")]
    return match[2] or b"/", match[3] or b""
