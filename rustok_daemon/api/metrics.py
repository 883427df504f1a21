"""``rustok_http_*``: plain integers on the way of a request, made into samples when somebody scrapes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""RusToK's (the defaults of Prometheus) and, below them, what a warm resolve needs; in seconds."""

UNMATCHED = "unmatched"
"""The ``path`` of requests that no route takes: one label for all of them."""
REFUSED = "refused"
"""The ``path`` and ``method`` of what the server refused before it was a request."""

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET", REFUSED))
_OTHER = "OTHER"

_by_registry: WeakKeyDictionary[CollectorRegistry, HttpMetrics] = WeakKeyDictionary()


class Series:
    """The requests of one method and path template."""

    __slots__ = ("buckets", "seconds", "statuses")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.statuses: dict[int, int] = {}

    def add(self, status: int, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def count(self, status: int) -> None:
        """Without a duration."""
        self.statuses[status] = self.statuses.get(status, 0) + 1


class HttpMetrics(Collector):
    """Shared by all who serve HTTP in one process: see ``of``."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], Series] = {}
        self._connections: dict[str, Callable[[], int]] = {}

    @classmethod
    def of(cls, registry: CollectorRegistry) -> HttpMetrics:
        """The one of this registry, made and registered when it is first asked for."""
        found = _by_registry.get(registry)
        if found is None:
            found = _by_registry[registry] = cls()
            registry.register(found)
        return found

    def series(self, method: str, path: str) -> Series:
        """``path`` is a route's template, or ``UNMATCHED``: never what a client made up."""
        key = (method if method in _METHODS else _OTHER, path)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series()
        return series

    def note_refused(self, status: int) -> None:
        """Counts an answer that the server gave before there was a request; it took no time to speak of."""
        self.series(REFUSED, REFUSED).count(status)

    def watch_connections(self, who: str, count: Callable[[], int]) -> None:
        """``count`` says how many ``who`` has open now; it replaces what ``who`` gave before."""
        self._connections[who] = count

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "rustok_http_requests", "Requests answered.", labels=["method", "path", "status"]
        )
        durations = HistogramMetricFamily(
            "rustok_http_request_duration_seconds",
            "From the head of a request to its answer.",
            labels=["method", "path"],
        )
        for (method, path), series in list(self._series.items()):
            for status, count in list(series.statuses.items()):
                requests.add_metric([method, path, str(status)], count)
            if any(series.buckets):
                durations.add_metric([method, path], _cumulated(series.buckets), series.seconds)
        yield requests
        yield durations
        yield GaugeMetricFamily(
            "rustok_http_active_connections",
            "Connections that are open, idle ones included.",
            value=sum(count() for count in list(self._connections.values())),
        )


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
        total += count
        found.append((bound, float(total)))
    return found
