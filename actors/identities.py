"""How a tenant may be named: the one place that knows which UUIDs, slugs and hosts are well-formed.

The rules are RusToK's ``TenantIdentifierValidator`` (facts on the tenant path, 1.6): what passes is canonical, and only
canonical names are looked up, cached and published.
"""

from __future__ import annotations

import re
from typing import Literal
from uuid import UUID

import msgspec

IdentityKind = Literal["uuid", "slug", "host"]

RESERVED_SLUGS = frozenset(
    (
        *("api", "admin", "www", "app", "cdn", "assets", "static", "health", "metrics"),
        *("docs", "swagger", "mail", "smtp", "pop", "imap", "ftp", "sftp", "ssh"),
        *("vpn", "auth", "login", "logout", "register", "signup", "signin", "dev", "test"),
        *("staging", "prod", "production", "localhost", "db", "database", "cache", "redis", "postgres"),
        *("root", "system", "internal", "private", "public"),
    )
)

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_SLUG = 64
_LONGEST_HOST = 253


class Identity(msgspec.Struct, frozen=True):
    """One name of a tenant. ``value`` is canonical: lower case, a UUID with hyphens, a host without port."""

    kind: IdentityKind
    value: str


class InvalidIdentifier(ValueError):
    """Text that names no tenant, whatever the database holds; says what would be right and never quotes the text."""


def uuid_identity(text: str) -> Identity:
    """Reads a UUID with hyphens, in either case. Raises ``InvalidIdentifier``."""
    value = text.strip().lower()
    if _UUID.fullmatch(value) is None:
        raise InvalidIdentifier("a UUID has 32 hexadecimal digits in five groups: 8-4-4-4-12")
    return Identity("uuid", value)


def slug_identity(text: str) -> Identity:
    """Reads a slug, in either case. Raises ``InvalidIdentifier``."""
    value = text.strip().lower()
    if not value:
        raise InvalidIdentifier("a slug is not empty")
    if len(value.encode()) > _LONGEST_SLUG:
        raise InvalidIdentifier("a slug has at most 63 characters")
    if _SLUG.fullmatch(value) is None:
        raise InvalidIdentifier("a slug has 1 to 63 of a-z, 0-9 and -, and does not begin with -")
    if value in RESERVED_SLUGS:
        raise InvalidIdentifier("this slug is reserved")
    return Identity("slug", value)


def host_identity(text: str) -> Identity:
    """Reads a host name without port, in either case. Raises ``InvalidIdentifier``."""
    value = text.strip().lower()
    if not value:
        raise InvalidIdentifier("a host is not empty")
    if len(value.encode()) > _LONGEST_HOST:
        raise InvalidIdentifier("a host has at most 253 characters")
    if not all(map(_LABEL.fullmatch, value.split("."))):
        raise InvalidIdentifier(
            "a host is labels of a-z, 0-9 and inner -, at most 63 characters each, with dots between"
        )
    return Identity("host", value)


def header_identity(text: str) -> Identity:
    """Reads what a tenant header may hold: a UUID, else a slug. Raises ``InvalidIdentifier``."""
    value = text.strip().lower()
    return Identity("uuid", value) if _UUID.fullmatch(value) else slug_identity(value)


def authority_identity(text: str) -> Identity:
    """Reads a host with or without a port (RFC 9110, ``Host``). Raises ``InvalidIdentifier``, also for an IPv6 address."""
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        return host_identity(port)
    if port and not (port.isascii() and port.isdigit()):
        raise InvalidIdentifier("a port is a number")
    if host.rstrip() != host:
        raise InvalidIdentifier("the port follows the host without a space")
    return host_identity(host)


def is_servable(identity: Identity) -> bool:
    """Whether a request can name this identity at all: what it cannot name is in no cache, ours or RusToK's."""
    match identity.kind:
        case "uuid":
            return _UUID.fullmatch(identity.value) is not None
        case "slug":
            return _SLUG.fullmatch(identity.value) is not None
        case "host":
            return len(identity.value) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, identity.value.split(".")))


def identities_of(id: UUID, slug: str | None, domain: str | None) -> tuple[Identity, ...]:
    """The servable names of a row of ``tenants``: one that is not canonical in the table is found by no look-up."""
    names = [Identity("uuid", str(id))]
    if slug is not None:
        names.append(Identity("slug", slug))
    if domain is not None:
        names.append(Identity("host", domain))
    return tuple(filter(is_servable, names))
