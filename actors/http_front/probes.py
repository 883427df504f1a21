"""Asks how things stand: the dependencies themselves, and the actors through their mailboxes."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

import trio

from rustok_daemon.declarations import Health, HealthCheck
from rustok_daemon.lifecycle.resources import Phase
from rustok_daemon.postgres.errors import DatabaseError
from rustok_daemon.postgres.interface import Database
from rustok_daemon.redis import Redis, RedisError
from rustok_daemon.supervision.actor import CheckHealth, Context
from rustok_daemon.supervision.errors import SupervisionError

from .health import Finding, Modules, Readiness, modules, readiness, refusal

_WITHIN = 0.8
"""Below the second that an orchestrator's probe usually waits."""
_UNTIL_REACHED = 0.25
DATABASE = "database"
REDIS = "cache_backend"

Ask = Callable[[], Awaitable[Health]]


class HealthDesk:
    """Answers the probes. However many call, one round of questions goes on at a time; all who wait share the next."""

    def __init__(self, context: Context, checks: Sequence[tuple[str, HealthCheck]], *, redis: bool) -> None:
        """``checks`` come with the id of the actor that is asked; ``redis``: whether the daemon works with one."""
        self._context = context
        self._phase = context.view(Phase)
        self._database = context.view(Database)
        self._redis = context.view(Redis)
        self._probes: list[tuple[HealthCheck, bool, Ask]] = [
            (HealthCheck(slug=DATABASE, name="Database", critical=True), False, self._ping_database)
        ]
        if redis:
            self._probes.append((HealthCheck(slug=REDIS, name="Redis"), False, self._ping_redis))
        self._probes += [(check, True, self._asker(actor)) for actor, check in checks]
        self._findings: list[Finding] = []
        self._asked_at = -math.inf
        self._asking = trio.Lock()
        self._ever_reached = False

    async def run(self) -> None:
        """Looks until the database was reached once: from then on tenants may be in the cache, and it may go down."""
        while not self._ever_reached:
            await self._ask_all()
            await trio.sleep(_UNTIL_REACHED)

    async def modules(self) -> Modules:
        return modules(await self._ask_all())

    async def readiness(self) -> Readiness:
        findings = await self._ask_all()
        return readiness(findings, refusal(self._phase.current, self._ever_reached))

    async def dependencies_answer(self) -> bool:
        """Loco's question: the database and Redis, where there is one."""
        return all(finding.status == "healthy" for finding in await self._ask_all() if not finding.module)

    async def _ask_all(self) -> Sequence[Finding]:
        """What is so now: never what was found before the caller came."""
        came_at = trio.current_time()
        async with self._asking:
            if self._asked_at <= came_at:
                began = trio.current_time()
                found: dict[int, Finding] = {}
                async with trio.open_nursery() as nursery:
                    for number in range(len(self._probes)):
                        nursery.start_soon(self._ask, number, found)
                self._findings, self._asked_at = [found[number] for number in range(len(self._probes))], began
                self._ever_reached |= all(finding.status == "healthy" for finding in self._findings if finding.critical)
            return self._findings

    async def _ask(self, number: int, found: dict[int, Finding]) -> None:
        check, module, ask = self._probes[number]
        began = trio.current_time()
        health = Health(status="unhealthy", reason=f"no answer within {_WITHIN:g} s")
        with trio.move_on_after(_WITHIN):
            health = await ask()
        found[number] = Finding(
            slug=check.slug,
            name=check.name,
            critical=check.critical,
            module=module,
            status=health.status,
            reason=health.reason,
            latency_ms=round((trio.current_time() - began) * 1000),
        )

    async def _ping_database(self) -> Health:
        try:
            await self._database.get().ping(within=_WITHIN)
        except (DatabaseError, SupervisionError) as error:
            return Health(status="unhealthy", reason=f"database check failed: {error}")
        return Health()

    async def _ping_redis(self) -> Health:
        try:
            await self._redis.get().ping()
        except (RedisError, SupervisionError) as error:
            return Health(status="unhealthy", reason=f"Redis check failed: {error}")
        return Health()

    def _asker(self, actor: str) -> Ask:
        ref = self._context.actor(actor)

        async def ask() -> Health:
            try:
                return await ref.ask(CheckHealth(), within=_WITHIN)
            except SupervisionError as error:
                return Health(status="unhealthy", reason=str(error))

        return ask
