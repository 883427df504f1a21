"""``rustok_actor_*``: read from the places at scrape, so that counting costs a message nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .mailbox import Mailbox
from .place import BOUNDS, HandlerTimes, Place
from .refs import Registry
from .specs import State

Value = Callable[[Place], float]

STATE_NUMBERS = {state: number for number, state in enumerate(State)}
"""starting 0, running 1, degraded 2, backoff 3, stopping 4, stopped 5, failed 6, abandoned 7."""


class ActorCollector(Collector):
    """One sample an actor and family; supervisors have only state and restarts."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        places = list(self._registry.places.values())
        actors = [place for place in places if place.mailbox is not None]
        states = ", ".join(f"{number} {state.value}" for state, number in STATE_NUMBERS.items())
        yield _gauge("state", f"State of the child: {states}.", places, lambda p: STATE_NUMBERS[p.shown_state])
        yield _counter("restarts", "Restarts of the child.", places, lambda p: p.restarts)
        yield _mailboxes("depth", "Messages that wait.", actors, len)
        yield _mailboxes("capacity", "Messages that may wait.", actors, lambda mailbox: mailbox.capacity)
        yield _mailboxes("oldest_seconds", "Age of the oldest message.", actors, Mailbox.oldest_age)
        yield _counter("messages", "Messages handled.", actors, lambda p: p.times.count)
        yield _counter("dead_letters", "Messages nobody took.", actors, lambda p: p.dead_letters)
        yield _seconds(actors)


def _gauge(name: str, text: str, places: list[Place], value: Value) -> Metric:
    family = GaugeMetricFamily(f"rustok_actor_{name}", text, labels=["actor"])
    for place in places:
        family.add_metric([place.id], value(place))
    return family


def _mailboxes(name: str, text: str, actors: list[Place], value: Callable[[Mailbox], float]) -> Metric:
    family = GaugeMetricFamily(f"rustok_actor_mailbox_{name}", text, labels=["actor"])
    for place in actors:
        if place.mailbox is not None:
            family.add_metric([place.id], value(place.mailbox))
    return family


def _counter(name: str, text: str, places: list[Place], value: Value) -> Metric:
    family = CounterMetricFamily(f"rustok_actor_{name}", text, labels=["actor"])
    for place in places:
        family.add_metric([place.id], value(place))
    return family


def _seconds(places: list[Place]) -> Metric:
    text = "How long the handling of a message took."
    family = HistogramMetricFamily("rustok_actor_message_seconds", text, labels=["actor"])
    for place in places:
        family.add_metric([place.id], _buckets(place.times), place.times.seconds)
    return family


def _buckets(times: HandlerTimes) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), times.buckets, strict=True):
        total += count
        found.append((bound, float(total)))
    return found
