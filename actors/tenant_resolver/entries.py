"""What is known of tenants, bounded: entries under all identities they answer for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from actors.identities import Identity
from actors.messages import Resolution


class Entry:
    """One answer and until when it is good. ``fresh`` and ``stale`` are ready-made, so that a hit makes nothing."""

    __slots__ = ("epoch", "fresh", "fresh_until", "identities", "stale", "stale_until", "used")

    def __init__(
        self,
        identities: tuple[Identity, ...],
        fresh: Resolution,
        stale: Resolution,
        *,
        fresh_until: float,
        stale_until: float,
        epoch: int,
    ) -> None:
        self.identities = identities
        self.fresh = fresh
        self.stale = stale
        self.fresh_until = fresh_until
        self.stale_until = stale_until
        self.epoch = epoch
        self.used = False


class Entries:
    """Holds at most ``capacity`` identities; beyond that the entry goes that was not used since the hand last passed it.

    The hand is CLOCK's: a hit only sets a flag, so reading moves nothing.
    """

    def __init__(self, capacity: int) -> None:
        self.by_identity: dict[Identity, Entry] = {}
        self.evictions = 0
        self._capacity = capacity
        self._ring: OrderedDict[Entry, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self.by_identity)

    def put(self, entry: Entry) -> None:
        """Stores it under its identities, and drops whatever stood under any of them. What is too big is not kept."""
        self.drop_all(entry.identities)
        if len(entry.identities) > self._capacity:
            return
        while len(self.by_identity) + len(entry.identities) > self._capacity:
            self._evict_one()
        self._ring[entry] = None
        for identity in entry.identities:
            self.by_identity[identity] = entry

    def drop(self, identity: Identity) -> None:
        """Drops the entry under this identity, with all its aliases."""
        entry = self.by_identity.get(identity)
        if entry is not None:
            self._remove(entry)

    def drop_all(self, identities: Iterable[Identity]) -> None:
        for identity in identities:
            self.drop(identity)

    def clear(self) -> None:
        self.by_identity.clear()
        self._ring.clear()

    def _evict_one(self) -> None:
        while True:
            entry = next(iter(self._ring))
            if not entry.used:
                break
            entry.used = False
            self._ring.move_to_end(entry)
        self.evictions += len(entry.identities)
        self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        del self._ring[entry]
        for identity in entry.identities:
            del self.by_identity[identity]
