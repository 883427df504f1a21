"""A source of tenants whose reads start, end and fail on command."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import msgspec
import trio

from actors.identities import Identity, identities_of
from actors.messages import Tenant
from actors.tenant_resolver.directory import Directory
from actors.tenant_resolver.metrics import ResolverMetrics
from actors.tenant_resolver.settings import BreakerSettings, CacheSettings, TenantSettings
from rustok_daemon.breaker import BreakerMetrics, CircuitBreaker
from rustok_daemon.config.types import Duration
from rustok_daemon.postgres.errors import DatabaseUnavailable

DOWN = DatabaseUnavailable("connection refused")


def tenant(number: int = 1, slug: str = "demo", domain: str | None = "demo.localhost", active: bool = True) -> Tenant:
    return Tenant(
        id=UUID(int=number),
        name=f"Tenant {number}",
        slug=slug,
        domain=domain,
        settings=msgspec.Raw(b"{}"),
        is_active=active,
        default_locale="en",
    )


class Source:
    """Rows by identity. Reads pass at once, unless ``hold`` was called: then they wait for ``release``."""

    def __init__(self, *tenants: Tenant) -> None:
        self.rows: dict[Identity, Tenant] = {}
        self.reads: Counter[Identity] = Counter()
        self.error: Exception | None = None
        self._gate = trio.Event()
        self._gate.set()
        self.put(*tenants)

    def put(self, *tenants: Tenant) -> None:
        for each in tenants:
            self.rows = {name: row for name, row in self.rows.items() if row.id != each.id}
            for name in identities_of(each.id, each.slug, each.domain):
                self.rows[name] = each

    def hold(self) -> None:
        self._gate = trio.Event()

    def release(self) -> None:
        self._gate.set()

    async def load(self, identity: Identity) -> Tenant | None:
        """Reads first, then waits: what a change in between makes of the answer is the resolver's affair."""
        self.reads[identity] += 1
        found, gate = self.rows.get(identity), self._gate
        await trio.lowlevel.checkpoint()
        await gate.wait()
        if self.error is not None:
            raise self.error
        return found

    @property
    def total(self) -> int:
        return self.reads.total()


def make(
    source: Source,
    *,
    capacity: int = 1000,
    negative_capacity: int = 100,
    max_flights: int = 64,
    failures: int = 5,
    metrics: ResolverMetrics | None = None,
) -> Directory:
    settings = TenantSettings(
        cache=CacheSettings(capacity=capacity, negative_capacity=negative_capacity),
        max_flights=max_flights,
        breaker=BreakerSettings(failures=failures, open=Duration(30)),
    )
    breaker = CircuitBreaker(failures=failures, successes=2, open_for=30.0, probes=3, metrics=BreakerMetrics())
    return Directory(source.load, settings, breaker, metrics or ResolverMetrics())
