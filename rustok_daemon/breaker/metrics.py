"""``rustok_circuit_breaker_*``: plain integers until the scrape, kept over restarts of a breaker's owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .breaker import State

_by_registry: WeakKeyDictionary[CollectorRegistry, _Breakers] = WeakKeyDictionary()


class BreakerMetrics:
    """The figures of one service's breaker; see ``of``."""

    def __init__(self) -> None:
        self.transitions: Counter[tuple[State, State]] = Counter()
        self.state = State.CLOSED
        self.successes = 0
        self.failures = 0
        self.rejected = 0

    @classmethod
    def of(cls, registry: CollectorRegistry, service: str) -> BreakerMetrics:
        """Those of ``service`` in this registry, made when they are first asked for."""
        breakers = _by_registry.get(registry)
        if breakers is None:
            breakers = _by_registry[registry] = _Breakers()
            registry.register(breakers)
        return breakers.services.setdefault(service, cls())

    def count(self, good: bool) -> None:
        if good:
            self.successes += 1
        else:
            self.failures += 1

    def moved(self, before: State, after: State) -> None:
        self.transitions[before, after] += 1
        self.state = after


class _Breakers(Collector):
    """All breakers of one process."""

    def __init__(self) -> None:
        self.services: dict[str, BreakerMetrics] = {}

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        state = GaugeMetricFamily("rustok_circuit_breaker_state", "0 closed, 1 open, 2 half open.", labels=["service"])
        transitions = CounterMetricFamily(
            "rustok_circuit_breaker_transitions",
            "Changes of the breaker's state.",
            labels=["service", "from_state", "to_state"],
        )
        calls = CounterMetricFamily(
            "rustok_circuit_breaker_calls", "Calls by their result.", labels=["service", "result"]
        )
        for service, figures in self.services.items():
            state.add_metric([service], figures.state)
            for (before, after), count in sorted(figures.transitions.items()):
                transitions.add_metric([service, before.name.lower(), after.name.lower()], count)
            calls.add_metric([service, "success"], figures.successes)
            calls.add_metric([service, "failure"], figures.failures)
            calls.add_metric([service, "rejected"], figures.rejected)
        yield from (state, transitions, calls)
