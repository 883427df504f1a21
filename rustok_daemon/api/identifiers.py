"""Request ids and W3C trace context: taken over where they are well-formed and short, made otherwise."""

from __future__ import annotations

import itertools
import re
import secrets

_REQUEST_ID = re.compile(rb"[0-9A-Za-z._:/+=~@-]{1,128}")
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LENGTH = 55
"""Of version 00; a later version may go on behind it (W3C Trace Context, section 4.3)."""
_SPREAD = 0x9E3779B97F4A7C15
"""Odd, so that numbers stay different when multiplied by it; made ids look random without costing randomness."""
_MASK = (1 << 64) - 1


class Identifiers:
    """Those of this process: a random part drawn once, and a number."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(4).encode() + b"-"
        self._trace = secrets.token_hex(8).encode()
        self._next = itertools.count(secrets.randbits(32) + 1).__next__

    def request_id(self, given: bytes | None) -> bytes:
        """``given`` if a log line can bear it, else a new one."""
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        return b"%b%x" % (self._prefix, self._next())

    def traceparent(self, given: bytes | None) -> bytes:
        """The caller's, cut to what version 00 knows, or a new one that is not sampled."""
        if given is not None and _TRACEPARENT.match(given) and _may_end(given):
            return given[:_LENGTH]
        number = self._next() * _SPREAD & _MASK
        return b"00-%b%016x-%016x-00" % (self._trace, number, number)


def _may_end(given: bytes) -> bool:
    if given.startswith(b"00"):
        return len(given) == _LENGTH
    return given[_LENGTH : _LENGTH + 1] in (b"", b"-")
