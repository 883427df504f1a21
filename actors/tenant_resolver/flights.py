"""Loads under way: one for all who ask for the same identity, and owned by none of them."""

from __future__ import annotations

import trio

from actors.identities import Identity
from actors.messages import Tenant, TenantUnavailable


class Flight:
    """One load. It carries its outcome to everyone who waits for it; nobody re-reads the cache to learn it (defects 2-4)."""

    __slots__ = ("began", "deadline", "error", "generation", "identity", "settled", "tenant")

    def __init__(self, identity: Identity, generation: int, began: float, deadline: float) -> None:
        self.identity = identity
        self.generation = generation
        self.began = began
        self.deadline = deadline
        self.settled = trio.Event()
        self.tenant: Tenant | None = None
        self.error: TenantUnavailable | None = None

    def land(self, tenant: Tenant | None) -> None:
        """``None``: there is no such tenant."""
        self.tenant = tenant
        self.settled.set()

    def fail(self, error: TenantUnavailable) -> None:
        """Tells everyone the same. Without effect once it is settled."""
        if not self.settled.is_set():
            self.error = error
            self.settled.set()

    async def settled_by(self, deadline: float) -> bool:
        """Waits until then; whether it has landed with an answer."""
        with trio.move_on_at(min(deadline, self.deadline)):
            await self.settled.wait()
        return self.settled.is_set() and self.error is None

    async def answer(self) -> Tenant | None:
        """Waits for the outcome, at most until the flight's own deadline. Raises ``TenantUnavailable``."""
        if await self.settled_by(self.deadline):
            return self.tenant
        if self.error is not None:
            raise TenantUnavailable(self.error.reason, self.error.retry_after)
        raise TenantUnavailable("the database did not answer in time", 1.0)


class Flights:
    """The table: which flight a caller may join, and how many are in the air."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._joinable: dict[Identity, Flight] = {}
        self._in_the_air: set[Flight] = set()

    def __len__(self) -> int:
        return len(self._in_the_air)

    def find(self, identity: Identity, now: float) -> Flight | None:
        """One that a caller who comes now may join."""
        flight = self._joinable.get(identity)
        return flight if flight is not None and now < flight.deadline else None

    def check_room(self) -> None:
        """Raises ``TenantUnavailable`` when too many distinct identities are being loaded (defect 21)."""
        if len(self._in_the_air) >= self._most:
            raise TenantUnavailable(f"{self._most} tenants are being loaded already", 1.0)

    def add(self, flight: Flight) -> None:
        self._joinable[flight.identity] = flight
        self._in_the_air.add(flight)

    def remove(self, flight: Flight) -> None:
        self._in_the_air.discard(flight)
        if self._joinable.get(flight.identity) is flight:
            del self._joinable[flight.identity]

    def close_all(self) -> None:
        """Nobody joins those in the air any more: something has changed since they began."""
        self._joinable.clear()
