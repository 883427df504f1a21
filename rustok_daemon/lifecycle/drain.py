"""The last child to start and so the first to stop: lets what is in flight finish before anything else goes."""

from __future__ import annotations

from typing import Self

import msgspec
import trio

from rustok_daemon.config import Configuration
from rustok_daemon.config.sections import HttpSettings
from rustok_daemon.supervision.actor import Actor
from rustok_daemon.supervision.errors import SupervisionError

from .messages import Drain as DrainRequest
from .phase import DaemonPhase
from .resources import Phase

_FOR_REQUESTS = 10.0


class DrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``delay``: how long readiness says 503 while requests still come, so that a balancer looks elsewhere."""

    delay: float
    drained: tuple[str, ...] = ()
    """Who takes the request to drain, in the order in which they are asked."""


class Drain(Actor[DrainSettings]):
    """Its end is the drain. Readiness turns 503, the delay passes, then each actor with work in flight finishes it."""

    Settings = DrainSettings

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> Self:
        kinds = reversed(configuration.actors.items())
        asked = tuple(id for id, kind in kinds if DrainRequest in kind.message_types() and kind.enabled(configuration))
        return cls(DrainSettings(delay=configuration.section(HttpSettings).drain_delay, drained=asked))

    def reconfigure(self, settings: DrainSettings) -> bool:
        """Looked at only at the end."""
        return True

    async def teardown(self) -> None:
        phase = self.context.view(Phase).current
        if not isinstance(phase, DaemonPhase) or not phase.stopping:
            return
        phase.mark_draining()
        if self.settings.delay:
            self.context.log.info("draining", delay=self.settings.delay)
            await trio.sleep(self.settings.delay)
        for id in self.settings.drained:
            await self._drain(id)

    async def _drain(self, id: str) -> None:
        try:
            drained = await self.context.actor(id).ask(DrainRequest(within=_FOR_REQUESTS), within=_FOR_REQUESTS + 1)
        except SupervisionError as error:
            self.context.log.warning("not drained", drained=id, reason=str(error))
            return
        level = self.context.log.warning if drained.cut else self.context.log.info
        level("drained", drained=id, finished=drained.finished, cut=drained.cut)
        phase = self.context.view(Phase).current
        if isinstance(phase, DaemonPhase):
            phase.cut += drained.cut
