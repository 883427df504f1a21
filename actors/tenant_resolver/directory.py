"""The view that answers: a plain look-up for what is fresh, a shared load for the rest.

Two numbers keep it right. The *generation* counts invalidations: a load that began under an older one may answer those who
were already waiting, but is never stored and never joined. The *epoch* counts gaps in the channels: an entry of an older
one has to be read again before it serves as fresh, and serves as stale only while that cannot be done.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import trio

from actors.identities import Identity, identities_of
from actors.messages import Resolution, Source, Tenant, TenantUnavailable, Verdict
from rustok_daemon.breaker import CircuitBreaker, CircuitOpen, Permit, State
from rustok_daemon.postgres.errors import DatabaseError, DatabaseUnavailable, UnreadableValue
from rustok_daemon.supervision.errors import SupervisionError

from .entries import Entries, Entry
from .flights import Flight, Flights
from .metrics import ResolverMetrics, Sizes
from .settings import TenantSettings

Load = Callable[[Identity], Awaitable[Tenant | None]]

_JITTER = 0.1
"""A ttl is shortened by up to this share of it, so that what was loaded together does not expire together."""

_PROBE_EVERY = 0.5
"""Seconds between two looks at a breaker that is not closed."""

_UNKNOWN = Resolution(Verdict.UNKNOWN, Source.NEGATIVE)
_INACTIVE = Resolution(Verdict.INACTIVE, Source.NEGATIVE)


class Directory:
    """Implements ``actors.messages.TenantDirectory``. Loads run in ``run``, never in a caller's task (defect 1)."""

    def __init__(
        self,
        load: Load,
        settings: TenantSettings,
        breaker: CircuitBreaker,
        metrics: ResolverMetrics,
    ) -> None:
        self._load = load
        self._nursery: trio.Nursery | None = None
        self._early: list[tuple[Flight, Permit]] = []
        """Begun before ``run``, by whoever found the view first."""
        self._settings = settings
        self._breaker = breaker
        self._metrics = metrics
        self._positive = Entries(settings.cache.capacity)
        self._negative = Entries(settings.cache.negative_capacity)
        # What every hit calls, looked up once: trio.current_time alone is a fifth of a hit.
        self._now = trio.lowlevel.current_clock().current_time
        self._find = self._positive.by_identity.get
        self._flights = Flights(settings.max_flights)
        self._generation = 0
        self._epoch = 0
        self._closed = False

    # -- reading -------------------------------------------------------------------------------------------------

    def peek(self, identity: Identity) -> Resolution | None:
        """What is fresh, or ``None``; no checkpoint."""
        now = self._now()
        entry = self._find(identity)
        if entry is not None and entry.fresh_until > now and entry.epoch == self._epoch:
            entry.used = True
            self._metrics.hits += 1
            return entry.fresh
        entry = self._negative.by_identity.get(identity)
        if entry is not None and entry.fresh_until > now:
            entry.used = True
            self._metrics.negative_hits += 1
            return entry.fresh
        return None

    async def resolve(self, identity: Identity) -> Resolution:
        """The answer, by a load if need be; an expired tenant serves when that is slow or fails.

        Raises ``TenantUnavailable``.
        """
        found = self.peek(identity)
        if found is not None:
            return found
        self._metrics.negative_misses += 1
        try:
            flight, source = self._join_or_begin(identity)
        except TenantUnavailable:
            stale = self._stale(identity)
            if stale is None:
                self._metrics.misses += 1
                raise
            return self._serve_stale(stale)
        if self._stale(identity) is not None:
            landed = await flight.settled_by(flight.began + self._settings.cache.soft_timeout)
            stale = None if landed else self._stale(identity)
            if stale is not None:
                return self._serve_stale(stale)
        self._metrics.misses += 1
        if source is Source.COALESCED:
            self._metrics.coalesced += 1
        return _resolution(await flight.answer(), source)

    def _stale(self, identity: Identity) -> Entry | None:
        """What may serve while the database cannot be asked: an invalidation that named it has taken it away."""
        entry = self._positive.by_identity.get(identity)
        return entry if entry is not None and trio.current_time() < entry.stale_until else None

    def _serve_stale(self, entry: Entry) -> Resolution:
        entry.used = True
        self._metrics.hits += 1
        return entry.stale

    # -- loading -------------------------------------------------------------------------------------------------

    def _join_or_begin(self, identity: Identity) -> tuple[Flight, Source]:
        flight = self._flights.find(identity, trio.current_time())
        if flight is not None:
            return flight, Source.COALESCED
        return self._begin(identity), Source.MISS

    def _begin(self, identity: Identity) -> Flight:
        """Without a checkpoint, so that whoever asks next finds it. Raises ``TenantUnavailable``."""
        if self._closed:
            raise _stopping()
        self._flights.check_room()
        try:
            permit = self._breaker.admit()
        except CircuitOpen as error:
            raise TenantUnavailable("the database failed too often lately", error.retry_after) from error
        now = trio.current_time()
        flight = Flight(identity, self._generation, now, now + self._settings.load_timeout)
        self._flights.add(flight)
        self._launch(flight, permit)
        return flight

    def _launch(self, flight: Flight, permit: Permit) -> None:
        if self._nursery is None:
            self._early.append((flight, permit))
        else:
            self._nursery.start_soon(self._fly, flight, permit, name=f"load {flight.identity.kind}")

    async def _fly(self, flight: Flight, permit: Permit) -> None:
        try:
            with permit:
                try:
                    tenant = await self._load_by(flight)
                except UnreadableValue:
                    permit.succeeded()  # it is one tenant's row: the database has answered
                    raise
        except (DatabaseError, SupervisionError, trio.TooSlowError) as error:
            flight.fail(TenantUnavailable(_reason(error), 1.0))
        else:
            self._store(flight, tenant)
            flight.land(tenant)
        finally:
            self._flights.remove(flight)
            flight.fail(_stopping())

    async def _load_by(self, flight: Flight) -> Tenant | None:
        with trio.fail_at(flight.deadline):
            return await self._load(flight.identity)

    # -- storing -------------------------------------------------------------------------------------------------

    def _store(self, flight: Flight, tenant: Tenant | None) -> None:
        """Only what no invalidation can have overtaken (defect 7)."""
        if flight.generation != self._generation:
            return
        if tenant is None:
            self._put_negative((flight.identity,), _UNKNOWN)
            return
        identities = identities_of(tenant.id, tenant.slug, tenant.domain)
        if tenant.is_active:
            self._negative.drop_all(identities)
            self._positive.put(self._positive_entry(identities, tenant))
        else:
            self._put_negative(identities, _INACTIVE)

    def _positive_entry(self, identities: tuple[Identity, ...], tenant: Tenant) -> Entry:
        fresh_until = trio.current_time() + _shortened(self._settings.cache.ttl)
        return Entry(
            identities,
            Resolution(Verdict.ACTIVE, Source.HIT, tenant),
            Resolution(Verdict.ACTIVE, Source.STALE, tenant),
            fresh_until=fresh_until,
            stale_until=fresh_until + self._settings.cache.stale,
            epoch=self._epoch,
        )

    def _put_negative(self, identities: tuple[Identity, ...], resolution: Resolution) -> None:
        until = trio.current_time() + _shortened(self._settings.cache.negative_ttl)
        self._positive.drop_all(identities)
        self._negative.put(
            Entry(identities, resolution, resolution, fresh_until=until, stale_until=until, epoch=self._epoch)
        )
        self._metrics.negative_inserts += 1

    # -- invalidation --------------------------------------------------------------------------------------------

    def invalidate(self, identities: Iterable[Identity] | None) -> None:
        """At once and without a checkpoint; ``None``: everything."""
        self._generation += 1
        self._flights.close_all()
        if identities is None:
            self._positive.clear()
            self._negative.clear()
            return
        for identity in identities:
            self._positive.drop(identity)
            self._negative.drop(identity)

    def gap(self) -> None:
        """Something may have been missed: tenants are read again before they are fresh, absences are forgotten."""
        self._generation += 1
        self._epoch += 1
        self._flights.close_all()
        self._negative.clear()

    async def recover(self, identity: Identity) -> None:
        """Reads ``identity`` while the breaker is not closed, so that it closes without waiting for somebody to ask."""
        while True:
            await trio.sleep(_PROBE_EVERY)
            if self._breaker.state is not State.CLOSED and self._breaker.would_admit:
                with suppress(TenantUnavailable):
                    flight, _ = self._join_or_begin(identity)
                    await flight.answer()

    # -- life ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carries the loads until it is cancelled; then nothing is loaded any more, and who waits is told."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for flight, permit in self._early:
                    self._launch(flight, permit)
                await trio.sleep_forever()
            finally:
                self._closed = True  # while the nursery still waits for us: once it is left it takes no flight

    def sizes(self) -> Sizes:
        return Sizes(
            entries=len(self._positive),
            negative_entries=len(self._negative),
            evictions=self._positive.evictions,
            negative_evictions=self._negative.evictions,
            flights=len(self._flights),
        )


def _resolution(tenant: Tenant | None, source: Source) -> Resolution:
    if tenant is None:
        return Resolution(Verdict.UNKNOWN, source)
    if not tenant.is_active:
        return Resolution(Verdict.INACTIVE, source)
    return Resolution(Verdict.ACTIVE, source, tenant)


def _stopping() -> TenantUnavailable:
    return TenantUnavailable("the resolver is being restarted", 1.0)


def _shortened(ttl: float) -> float:
    return ttl * (1 - _JITTER * random.random())  # noqa: S311  (spreads load, hides nothing)


def _reason(error: Exception) -> str:
    """For the client, who need not be known: not the database's own words, which name hosts, tables and values."""
    if isinstance(error, trio.TooSlowError):
        return "the database did not answer in time"
    if isinstance(error, UnreadableValue):
        return "what the database holds of this tenant cannot be read"
    if isinstance(error, DatabaseUnavailable):
        return "the database is not available"
    if isinstance(error, DatabaseError):
        return "the database cannot be asked at present"
    return str(error)
