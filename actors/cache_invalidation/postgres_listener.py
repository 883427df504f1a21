"""What our triggers say through NOTIFY."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from rustok_daemon.postgres.errors import DatabaseError
from rustok_daemon.postgres.interface import Database, Listener
from rustok_daemon.supervision.errors import ActorUnavailable
from rustok_daemon.supervision.specs import Backoff

from .channel import Channel, Status
from .errors import MalformedMessage
from .invalidator import Invalidator
from .notifications import NOTIFY_CHANNEL, parse_notification
from .publisher import Publisher
from .reconnect import keep_listening
from .rejections import Rejections
from .sql import PUBLISHER_LOCK, TAKE_PUBLISHER_LOCK, TRIGGERS_IN_PLACE

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from rustok_daemon.supervision.actor import ViewRef

_BACKOFF = Backoff(first=0.1, limit=2.0, reset_after=30.0)
_LOOK_EVERY = 1.0
_NO_TRIGGERS = "the triggers that notify are not in place: run `rustok-daemon db migrate`"


class PostgresListener:
    """Listens on a connection of its own, and again after each loss.

    A lost channel is a gap as soon as it is noticed, with every attempt that fails, and once more when it is back:
    first the subscription, then the gap, so that nothing in between is missed. Triggers that are missing, or switched off
    for a bulk load, are the same: a gap with every look that misses them, and with the one that finds them again.
    """

    def __init__(
        self,
        database: ViewRef[Database],
        channel: Channel,
        invalidator: Invalidator,
        publisher: Publisher | None,
        report: Callable[[], None],
        log: FilteringBoundLogger,
    ) -> None:
        self._database = database
        self._channel = channel
        self._invalidator = invalidator
        self._publisher = publisher
        self._report = report
        self._log = log
        self._rejections = Rejections(channel, log)
        self._listener: Listener | None = None
        self._deaf = False
        """The connection is there, the triggers are not: what changes is not said."""

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_after)
            await keep_listening(self._listen, self._lost, unless=(DatabaseError, ActorUnavailable), backoff=_BACKOFF)

    async def _listen(self) -> None:
        async with self._database.get().listen(NOTIFY_CHANNEL) as listener:
            self._invalidator.gap(self._channel)
            self._listener = listener
            await self._look(listener)
            self._log.info("listening to Postgres", channel=NOTIFY_CHANNEL)
            while True:
                _, payload = await listener.receive()
                self.apply(payload)

    def _lost(self, error: Exception) -> None:
        self._listener = None
        if self._publisher is not None:
            self._publisher.step_down()
        if self._channel.status is not Status.DEGRADED:
            self._log.warning("Postgres is lost to the listener; what is cached is read again", reason=str(error))
        self._channel.degraded(str(error))
        self._invalidator.gap(self._channel)
        self._report()

    def apply(self, payload: str) -> None:
        """From a message to the view's bump without a checkpoint."""
        self._channel.heard()
        try:
            identities = parse_notification(payload)
        except MalformedMessage as error:
            self._rejections.add(NOTIFY_CHANNEL, error)
            self._invalidator.gap(self._channel)  # of ours, by a newer daemon's triggers: as good as lost
            return
        self._invalidator.invalidate("notify", identities)
        if self._publisher is not None:
            self._publisher.heard(identities)

    async def _look_after(self) -> None:
        while True:
            await trio.sleep(_LOOK_EVERY)
            if self._listener is not None:
                with suppress(DatabaseError):  # the same loss ends ``receive``, which tells it
                    await self._look(self._listener)

    async def _look(self, listener: Listener) -> None:
        """Whether the triggers are there, and whether it is on us to publish; both may change while we listen."""
        in_place = await listener.fetchval(TRIGGERS_IN_PLACE)
        leads = self._publisher is not None and await self._leads(listener, self._publisher)
        if self._listener is not listener:
            return
        if leads and self._publisher is not None:
            self._publisher.take_over()
        self._set_health(in_place)

    async def _leads(self, listener: Listener, publisher: Publisher) -> bool:
        return publisher.leads or bool(await listener.fetchval(TAKE_PUBLISHER_LOCK, PUBLISHER_LOCK))

    def _set_health(self, in_place: bool) -> None:
        before = self._channel.status
        if self._deaf or not in_place:
            self._invalidator.gap(self._channel)
        self._deaf = not in_place
        if in_place:
            self._channel.healthy()
        else:
            self._channel.degraded(_NO_TRIGGERS)
        if self._channel.status is not before:
            self._report()
