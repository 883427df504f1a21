"""The listener's figures as Prometheus reads them: plain integers until the scrape."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .channel import Channel


class ListenerMetrics(Collector):
    """Kept over restarts of the actor. Names that RusToK has are RusToK's."""

    def __init__(self) -> None:
        self.postgres = Channel("postgres")
        self.redis = Channel("redis")
        self.published = 0
        self.publish_failures = 0

    def collect(self) -> Iterator[Metric]:
        status = GaugeMetricFamily(
            "rustok_invalidation_listener_status",
            "Channel of tenant cache invalidation: 0 off, 1 starting, 2 healthy, 3 degraded.",
            labels=["channel"],
        )
        messages = CounterMetricFamily(
            "rustok_invalidation_messages", "Messages read from a channel of invalidation.", labels=["channel"]
        )
        rejected = CounterMetricFamily(
            "rustok_cache_invalidation_rejected", "Messages refused as malformed.", labels=["channel"]
        )
        gaps = CounterMetricFamily(
            "rustok_invalidation_gaps",
            "Times the cache had to be held against the database again, because a channel may have missed messages.",
            labels=["channel"],
        )
        for channel in (self.postgres, self.redis):
            label = [channel.name]
            status.add_metric(label, channel.status)
            messages.add_metric(label, channel.messages)
            rejected.add_metric(label, channel.rejected)
            gaps.add_metric(label, channel.gaps)
        yield from (status, messages, rejected, gaps)
        yield CounterMetricFamily(
            "rustok_cache_invalidation_redis_publish_success",
            "Messages published for RusToK's servers.",
            value=self.published,
        )
        yield CounterMetricFamily(
            "rustok_cache_invalidation_redis_publish_failure",
            "Attempts to publish that failed; what they held is published later.",
            value=self.publish_failures,
        )
