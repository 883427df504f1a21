"""Request ids and W3C trace context: taken over where they are well-formed and short, made otherwise."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Mapping

Field = tuple[bytes, bytes]

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
        self._trace = b"00-" + secrets.token_hex(8).encode()
        self._next = itertools.count(secrets.randbits(32) + 1).__next__

    def of(self, headers: Mapping[bytes, bytes]) -> tuple[Field, Field]:
        """The request id and the traceparent of a request, as the answer says them."""
        number = b"%016x" % (self._next() * _SPREAD & _MASK)
        request_id = headers.get(b"x-request-id")
        if request_id is None or not _REQUEST_ID.fullmatch(request_id):
            request_id = self._prefix + number
        trace = headers.get(b"traceparent")
        if trace is None or not (_TRACEPARENT.match(trace) and _may_end(trace)):
            trace = b"%b%b-%b-00" % (self._trace, number, number)
        return (b"x-request-id", request_id), (b"traceparent", trace[:_LENGTH])


def _may_end(given: bytes) -> bool:
    if given.startswith(b"00"):
        return len(given) == _LENGTH
    return given[_LENGTH : _LENGTH + 1] in (b"", b"-")
