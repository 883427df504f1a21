"""From a request's headers to the identity it names (facts on the tenant path, 10.2 with the rules of 1.6).

Nothing is guessed: what names nobody is an error, never silently the default tenant (defect 11).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from actors.identities import (
    Identity,
    InvalidIdentifier,
    authority_identity,
    header_identity,
    host_identity,
    slug_identity,
)

from .settings import TenantSettings

_SLUG_HEADER = b"x-tenant-slug"


class UnknownDomain(LookupError):
    """The host lies below none of ``tenant.base_domains``: as good as a tenant that does not exist."""


class Named(msgspec.Struct, frozen=True):
    """Whom a request names. ``asserted_slug``: a second header that must fit the tenant found."""

    identity: Identity
    asserted_slug: str | None = None


class Identification:
    """The rules of ``[tenant]``, made ready once."""

    def __init__(self, settings: TenantSettings) -> None:
        self._default = Identity("uuid", str(settings.default_id))
        self._header = settings.header_name.lower().encode("ascii")
        self._tenant_headers = frozenset((self._header, _SLUG_HEADER))
        self._fallback = settings.fallback == "default_tenant"
        self._bases = sorted((host_identity(base).value for base in settings.base_domains), key=len, reverse=True)
        self._resolution = settings.resolution if settings.enabled else "single"

    def refuse_contradictions(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Who reads a repeated header takes the first value, the last, or all: two that differ name nobody.

        Raises ``InvalidIdentifier``.
        """
        if self._resolution != "header":
            return
        seen: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in self._tenant_headers and seen.setdefault(name, value) != value:
                raise InvalidIdentifier(f"the header {name.decode()} is given twice, with different values")

    def identify(self, headers: Mapping[bytes, bytes], host: str | None) -> Named:
        """``headers`` with lower-case names; ``host`` by the trust policy. Raises ``InvalidIdentifier``, ``UnknownDomain``."""
        match self._resolution:
            case "single":
                return Named(self._default)
            case "header":
                return self._by_header(headers)
            case "subdomain":
                return Named(self._by_subdomain(_host(host)))
            case _:
                return Named(_host(host))

    def _by_header(self, headers: Mapping[bytes, bytes]) -> Named:
        slug = None if self._header == _SLUG_HEADER else _text(headers.get(_SLUG_HEADER))
        primary = _text(headers.get(self._header))
        if primary is not None:
            asserted = None if slug is None else slug_identity(slug).value
            return Named(header_identity(primary), asserted)
        if slug is not None:
            return Named(slug_identity(slug))
        if self._fallback:
            return Named(self._default)
        raise InvalidIdentifier(f"the request names no tenant: send the header {self._header.decode()}")

    def _by_subdomain(self, host: Identity) -> Identity:
        """Exactly one label before a base domain (defect 14)."""
        for base in self._bases:
            if host.value == base:
                raise InvalidIdentifier("the host is a base domain: a tenant is the label before it")
            label = host.value.removesuffix(f".{base}")
            if label == host.value:
                continue
            if "." in label:
                raise InvalidIdentifier("a tenant is exactly one label before the base domain")
            return header_identity(label)
        raise UnknownDomain


def _host(host: str | None) -> Identity:
    if host is None:
        raise InvalidIdentifier("the request names no host")
    if not host.isascii():
        raise InvalidIdentifier("a host header holds ASCII only")
    return authority_identity(host)


def _text(value: bytes | None) -> str | None:
    """``None`` when absent or empty. A value that is not ASCII names nobody."""
    if value is None or not (value := value.strip()):
        return None
    try:
        return value.decode("ascii")
    except UnicodeDecodeError:
        raise InvalidIdentifier("a tenant header holds ASCII only") from None
