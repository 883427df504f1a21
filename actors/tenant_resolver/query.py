"""The query of ``GET /v1/tenants/resolve``: exactly one of ``id``, ``slug`` and ``host``, or none at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated
from urllib.parse import parse_qsl

import msgspec

from actors.identities import Identity, InvalidIdentifier, authority_identity, slug_identity, uuid_identity
from rustok_daemon.api.choice import Choice

from .identification import Named
from .records import Domain, Slug

_READ: dict[str, Callable[[str], Identity]] = {
    "id": uuid_identity,
    "slug": slug_identity,
    "host": authority_identity,
}
_READ_RAW = {name.encode(): read for name, read in _READ.items()}
_CODED = b"&%+;"
_MOST = 8
_MOST_REMEMBERED = 4096
_LONGEST_REMEMBERED = 280
"""Bytes: a host of full length, and its name."""


class ResolveQuery(Choice, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of them. Without any, the request's own headers name the tenant, as ``[tenant]`` has it."""

    id: Annotated[str, msgspec.Meta(extra_json_schema={"format": "uuid"})] | None = None
    slug: Slug | None = None
    host: Domain | None = None


class BadQuery(ValueError):
    """``field`` is the parameter that is wrong."""

    def __init__(self, field: str | None, detail: str) -> None:
        super().__init__(detail)
        self.field = field


def named_by(query: bytes) -> Named | None:
    """Whom it names; ``None`` when it is empty. Raises ``BadQuery``. Short ones are remembered: tenants come back."""
    if not query:
        return None
    return _remembered(query) if len(query) <= _LONGEST_REMEMBERED else _read_query(query)


def _read_query(query: bytes) -> Named | None:
    name, _, value = query.partition(b"=")
    read = _READ_RAW.get(name)
    if read is None or not value.isascii() or any(byte in _CODED for byte in value):
        return _parsed(query)
    return _read(name.decode(), value.decode())


_remembered = lru_cache(maxsize=_MOST_REMEMBERED)(_read_query)


def _parsed(query: bytes) -> Named | None:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST)
    except ValueError:
        raise BadQuery(None, f"the query is not percent-encoded UTF-8 with at most {_MOST} parameters") from None
    if not pairs:
        return None
    for name, _ in pairs:
        if name not in _READ:
            raise BadQuery(name, "there is no such parameter: there are id, slug and host")
    if len(pairs) > 1:
        raise BadQuery(pairs[1][0], "give exactly one of id, slug and host")
    return _read(*pairs[0])


def _read(name: str, value: str) -> Named:
    try:
        return Named(_READ[name](value))
    except InvalidIdentifier as error:
        raise BadQuery(name, str(error)) from None
