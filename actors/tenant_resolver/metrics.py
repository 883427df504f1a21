"""``rustok_tenant_cache_*``: plain integers until the scrape; RusToK's names, counted once a request (defect 17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Sizes(msgspec.Struct, frozen=True):
    """What the running resolver holds at this moment; evictions are those of its own life."""

    entries: int = 0
    negative_entries: int = 0
    evictions: int = 0
    negative_evictions: int = 0
    flights: int = 0


class ResolverMetrics(Collector):
    """Kept over restarts of the actor.

    Every request is one of ``hits`` (fresh or stale), ``negative_hits`` and ``misses``; of the misses,
    ``coalesced_requests`` waited for a load that another had begun.
    """

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self.negative_hits = 0
        self.negative_misses = 0
        self.negative_inserts = 0
        self.coalesced = 0
        self.invalidations: dict[str, int] = {}
        self.sizes: Callable[[], Sizes] = Sizes
        self._evicted_before = 0
        self._negative_evicted_before = 0

    def watch(self, sizes: Callable[[], Sizes]) -> None:
        """A new incarnation says what it holds; what the one before it evicted stays counted."""
        last = self.sizes()
        self._evicted_before += last.evictions
        self._negative_evicted_before += last.negative_evictions
        self.sizes = sizes

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        sizes = self.sizes()
        for name, text, value in (
            ("hits", "Requests answered with a cached tenant, stale ones included.", self.hits),
            ("misses", "Requests that waited for a load.", self.misses),
            ("evictions", "Identities that had to make room.", self._evicted_before + sizes.evictions),
            ("entries", "Identities under which a tenant is cached.", sizes.entries),
            ("negative_hits", "Requests answered from memory: unknown or inactive.", self.negative_hits),
            ("negative_misses", "Requests that no cached absence answered.", self.negative_misses),
            (
                "negative_evictions",
                "Negative identities that had to make room.",
                self._negative_evicted_before + sizes.negative_evictions,
            ),
            ("negative_entries", "Identities cached as unknown or inactive.", sizes.negative_entries),
            ("negative_inserts", "Absences that were cached.", self.negative_inserts),
            ("coalesced_requests", "Requests that waited for a load begun by another.", self.coalesced),
        ):
            yield GaugeMetricFamily(f"rustok_tenant_cache_{name}", text, value=value)
        yield GaugeMetricFamily("rustok_cache_in_flight_loads", "Tenants being loaded.", value=sizes.flights)
        invalidations = CounterMetricFamily(
            "rustok_tenant_invalidations", "Invalidations that were applied.", labels=["channel"]
        )
        for channel, count in sorted(self.invalidations.items()):
            invalidations.add_metric([channel], count)
        yield invalidations
