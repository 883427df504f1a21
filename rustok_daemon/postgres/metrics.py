"""``rustok_database_*``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class DatabaseMetrics:
    """Names and buckets are RusToK's (facts/tenancy.md 5.3)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "rustok_database_query_duration_seconds",
            "How long a query took, the wait for a connection included.",
            ["query_type", "table"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._errors = Counter(
            "rustok_database_query_errors", "Queries that failed.", ["query_type", "error_type"], registry=registry
        )
        connections = Gauge("rustok_database_connections", "Connections of the pool.", ["state"], registry=registry)
        self.sizes: Callable[[], tuple[int, int]] = lambda: (0, 0)
        connections.labels("active").set_function(lambda: self.sizes()[0])
        connections.labels("idle").set_function(lambda: self.sizes()[1])

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        """``name`` is ``"select tenants"``: the type and the table."""
        query_type, _, table = name.partition(" ")
        began = time.perf_counter()
        try:
            yield
        except Exception as error:
            self._errors.labels(query_type, type(error).__name__).inc()
            raise
        finally:
            self._seconds.labels(query_type, table).observe(time.perf_counter() - began)
