"""The answers the server gives by itself: ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from .errors import Refused


class _Problem(msgspec.Struct, frozen=True):
    type: str
    title: str
    status: int
    detail: str


def encode(refused: Refused, date: bytes, *, with_body: bool = True) -> bytes:
    """The whole response; it always says that the connection ends."""
    phrase = HTTPStatus(refused.status).phrase
    title = refused.name.replace("-", " ").capitalize()
    body = msgspec.json.encode(_Problem(f"urn:rustok:{refused.name}", title, refused.status, refused.detail))
    head = b"HTTP/1.1 %d %b\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\n" % (
        refused.status,
        phrase.encode("ascii"),
        len(body),
    )
    extra = b"".join(b"%b: %b\r\n" % field for field in refused.headers)
    return b"".join((head, extra, date, b"connection: close\r\n\r\n", body if with_body else b""))


def failed() -> Refused:
    """The application raised before it answered."""
    return Refused(500, "internal-error", "the request could not be handled")


def too_slow() -> Refused:
    """408: the client did not send in time."""
    return Refused(408, "request-timeout", "the request did not arrive in time")


def incomplete() -> Refused:
    """400: the client ended in the middle."""
    return Refused(400, "bad-request", "the request ended early")


def full() -> Refused:
    """503: as many connections as may are open."""
    return Refused(
        503, "too-many-connections", "the server has no room for more connections", ((b"retry-after", b"1"),)
    )
