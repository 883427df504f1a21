"""``rustok_http_*`` as Prometheus' own parser reads it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from rustok_daemon.api.metrics import BOUNDS, HttpMetrics


def scraped(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    text = generate_latest(registry).decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_method_template_and_status() -> None:
    registry = CollectorRegistry()
    series = HttpMetrics.of(registry).series("GET", "/v1/things/{id}")
    for status in (200, 200, 404):
        series.add(status, 0.003)
    values = scraped(registry)
    assert values["rustok_http_requests_total", "GET", "/v1/things/{id}", "200"] == 2
    assert values["rustok_http_requests_total", "GET", "/v1/things/{id}", "404"] == 1
    assert values["rustok_http_request_duration_seconds_count", "GET", "/v1/things/{id}"] == 3
    assert abs(values["rustok_http_request_duration_seconds_sum", "GET", "/v1/things/{id}"] - 0.009) < 1e-9


def test_a_duration_falls_into_the_bucket_it_does_not_exceed() -> None:
    registry = CollectorRegistry()
    series = HttpMetrics.of(registry).series("GET", "/")
    for seconds in (0.001, 0.0011, 60.0):
        series.add(200, seconds)
    values = scraped(registry)
    bucket = "rustok_http_request_duration_seconds_bucket"
    assert values[bucket, "0.001", "GET", "/"] == 1
    assert values[bucket, "0.0025", "GET", "/"] == 2
    assert values[bucket, str(BOUNDS[-1]), "GET", "/"] == 2
    assert values[bucket, "+Inf", "GET", "/"] == 3


def test_methods_that_a_client_makes_up_share_one_label() -> None:
    registry = CollectorRegistry()
    metrics = HttpMetrics.of(registry)
    for method in ("PROPFIND", "TRACE", "LOCK"):
        metrics.series(method, "unmatched").add(405, 0.001)
    assert scraped(registry)["rustok_http_requests_total", "OTHER", "unmatched", "405"] == 3


def test_what_the_server_refused_is_counted_without_a_duration() -> None:
    registry = CollectorRegistry()
    HttpMetrics.of(registry).note_refused(431)
    values = scraped(registry)
    assert values["rustok_http_requests_total", "refused", "refused", "431"] == 1
    assert not any(name.endswith("_count") for name, *_ in values)


def test_one_set_a_registry_whoever_asks_and_connections_are_summed() -> None:
    registry = CollectorRegistry()
    front, control = HttpMetrics.of(registry), HttpMetrics.of(registry)
    assert front is control
    front.watch_connections("http_front", lambda: 7)
    front.watch_connections("http_front", lambda: 3)
    control.watch_connections("control", lambda: 2)
    assert scraped(registry)["rustok_http_active_connections",] == 5


def test_every_family_is_there_with_help_and_type_before_the_first_request() -> None:
    registry = CollectorRegistry()
    HttpMetrics.of(registry)
    families = {family.name: family for family in text_string_to_metric_families(generate_latest(registry).decode())}
    assert {name: family.type for name, family in families.items()} == {
        "rustok_http_requests": "counter",
        "rustok_http_request_duration_seconds": "histogram",
        "rustok_http_active_connections": "gauge",
    }
    assert all(family.documentation for family in families.values())
