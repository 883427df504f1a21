"""Lists: ``{"items": […], "next": cursor or null}``, with ``limit`` and an opaque ``cursor`` (contract.md, "HTTP")."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from .call import Problem
from .problems import ProblemType

ItemT = TypeVar("ItemT")
CursorT = TypeVar("CursorT")

LARGEST = 500
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""In JSON, and not behind an escaped backslash."""


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of a list; subclass it to add filters."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=LARGEST)] = 50
    cursor: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] | None = None


class Page(msgspec.Struct, Generic[ItemT], frozen=True):
    """One part of a list; ``next`` leads to the part behind it."""

    items: list[ItemT]
    next: str | None


def page(found: Sequence[ItemT], limit: int, key: Callable[[ItemT], Any]) -> Page[ItemT]:
    """Of up to ``limit + 1`` items found; ``key`` is what the next query begins behind, as JSON can hold it."""
    items = list(found[:limit])
    return Page(items, encode_cursor(key(items[-1])) if len(found) > limit else None)


def encode_cursor(position: Any) -> str:
    """What ``decode_cursor`` reads back; opaque to clients."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).rstrip(b"=").decode("ascii")


def decode_cursor(cursor: str, kind: type[CursorT]) -> CursorT:
    """What ``encode_cursor`` was given. Raises ``Problem`` 404: a cursor that was not made here leads nowhere."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        position = base64.b64decode(padded, altchars=b"-_", validate=True)
        if not _NUL.search(position):  # no database could look for one
            return msgspec.json.decode(position, type=kind)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        pass
    raise Problem(404, ProblemType.UNKNOWN_CURSOR, "this cursor leads nowhere", field="cursor")
