"""Tells RusToK's servers, in their own words, what changed in the database."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

import trio

from actors.identities import Identity, is_servable
from rustok_daemon.postgres.errors import DatabaseError
from rustok_daemon.postgres.interface import Database, Row
from rustok_daemon.redis.errors import RedisError
from rustok_daemon.redis.interface import Redis
from rustok_daemon.supervision.errors import ActorUnavailable

from .metrics import ListenerMetrics
from .rustok_formats import INVALIDATE_CHANNEL, format_invalidate
from .sql import TENANT_NAMES

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from rustok_daemon.supervision.actor import ViewRef

_BATCH = 500
_MAX_PENDING = 10_000
_REMEMBERED = 1000
_REMEMBERED_FOR = 10.0
_RETRY_AFTER = 1.0
_SWEEP_PAUSE = 0.05

Names = tuple[Identity, ...] | None


class Publisher:
    """One daemon of all leads: the one whose LISTEN session holds the lock. The others remember.

    What changed while Redis was away is kept, each identity once, and goes out when it is back. A daemon that takes
    over says once more what it heard in the last 10 s: the one before it may have died with that unsaid. RusToK's
    format has no wildcard: after ``*`` every tenant is named that the database still has.
    """

    def __init__(
        self, redis: Redis, database: ViewRef[Database], metrics: ListenerMetrics, log: FilteringBoundLogger
    ) -> None:
        self._redis = redis
        self._database = database
        self._metrics = metrics
        self._log = log
        self._recent: deque[tuple[float, Names]] = deque(maxlen=_REMEMBERED)
        self._pending: dict[Identity, None] = {}
        self._sweep: _Sweep | None = None
        self._wake = trio.Event()
        self.leads = False

    def heard(self, names: Names) -> None:
        """Takes what a notification named; ``None`` is everything."""
        if self.leads:
            self._add(names)
        else:
            self._recent.append((trio.current_time(), names))

    def take_over(self) -> None:
        """From now on it is on us."""
        if self.leads:
            return
        self.leads = True
        since = trio.current_time() - _REMEMBERED_FOR
        for at, names in self._recent:
            if at >= since:
                self._add(names)
        self._recent.clear()

    def step_down(self) -> None:
        """The session that held the lock is gone. What is pending is still true and still goes out."""
        self.leads = False

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            try:
                await self._drain()
            except (RedisError, DatabaseError, ActorUnavailable) as error:
                self._metrics.publish_failures += 1
                self._log.info("publishing waits", reason=str(error), pending=len(self._pending))
                self._wake.set()
                await trio.sleep(_RETRY_AFTER)

    def _add(self, names: Names) -> None:
        if names is not None:
            self._pending.update(dict.fromkeys(names))
        if names is None or len(self._pending) > _MAX_PENDING:
            self._pending.clear()
            self._sweep = _Sweep()
        self._wake.set()

    async def _drain(self) -> None:
        while self._pending or self._sweep:
            if self._pending:
                await self._say_pending()
            elif self._sweep:
                await self._say_next_of(self._sweep)

    async def _say_pending(self) -> None:
        """An identity leaves before it is said: named again meanwhile, it is pending again."""
        batch = list(islice(self._pending, _BATCH))
        for identity in batch:
            del self._pending[identity]
        try:
            await self._say(batch)
        except BaseException:
            self._pending.update(dict.fromkeys(batch))
            raise

    async def _say_next_of(self, sweep: _Sweep) -> None:
        """Not in one rush: every daemon hears it all, and what else is said must get through meanwhile."""
        rows = await self._database.get().fetch(TENANT_NAMES, sweep.after, name="select tenants")
        await self._say([identity for row in rows for identity in _names(row)])
        if rows:
            sweep.after = rows[-1]["id"]
            await trio.sleep(_SWEEP_PAUSE)
        elif self._sweep is sweep:
            self._sweep = None

    async def _say(self, identities: list[Identity]) -> None:
        if identities:
            await self._redis.publish(INVALIDATE_CHANNEL, *map(format_invalidate, identities))
            self._metrics.published += len(identities)


class _Sweep:
    """How far the naming of all tenants has come."""

    __slots__ = ("after",)

    def __init__(self) -> None:
        self.after: UUID | None = None


def _names(row: Row) -> list[Identity]:
    names = [Identity("uuid", str(row["id"])), Identity("slug", row["slug"].lower())]
    if row["domain"] is not None:
        names.append(Identity("host", row["domain"].lower()))
    return list(filter(is_servable, names))
