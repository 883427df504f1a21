"""``[tenant]``: how a tenant is identified, and how long what is known of it is good."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from actors.identities import InvalidIdentifier, host_identity
from rustok_daemon.config.types import Duration

Count = Annotated[int, msgspec.Meta(ge=1)]

_NAMES = 3
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class CacheSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[tenant.cache]"""

    ttl: Duration = Duration(300)
    negative_ttl: Duration = Duration(60)
    capacity: Count = 100_000
    negative_capacity: Count = 10_000
    stale: Duration = Duration(3600)
    soft_timeout: Duration = Duration(0.25)

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        for key in ("ttl", "negative_ttl"):
            if getattr(self, key) <= 0:
                yield key, "must be more than 0: nothing would ever be cached"
        for key in ("capacity", "negative_capacity"):
            if getattr(self, key) < _NAMES:
                yield key, f"must be at least {_NAMES}: a tenant takes a place for its id, its slug and its domain"


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[tenant.breaker]"""

    failures: Count = 5
    successes: Count = 2
    open: Duration = Duration(30)
    probes: Count = 3


class TenantSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[tenant]"""

    enabled: bool = True
    resolution: Literal["header", "host", "domain", "subdomain"] = "header"
    header_name: str = "X-Tenant-ID"
    default_id: UUID = UUID(int=1)
    fallback: Literal["off", "default_tenant"] = "off"
    base_domains: tuple[str, ...] = ()
    cache: CacheSettings = CacheSettings()
    load_timeout: Duration = Duration(10)
    breaker: BreakerSettings = BreakerSettings()
    max_flights: Count = 1024

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        """Rules between keys (facts on the tenant path, 10.2)."""
        if not _HEADER_NAME.fullmatch(self.header_name):
            yield "header_name", f"{self.header_name!r} is not the name of an HTTP header, for example X-Tenant-ID"
        if self.resolution == "subdomain" and not self.base_domains:
            yield "base_domains", 'is empty: resolution = "subdomain" needs at least one, for example ["example.com"]'
        if self.fallback == "default_tenant" and (self.resolution != "header" or environment != "development"):
            yield "fallback", 'can be "default_tenant" only with resolution = "header" in the environment development'
        if self.load_timeout <= 0:
            yield "load_timeout", "must be more than 0"
        for domain in self.base_domains:
            try:
                host_identity(domain)
            except InvalidIdentifier as error:
                yield "base_domains", f"{domain!r} is not a host: {error}"
