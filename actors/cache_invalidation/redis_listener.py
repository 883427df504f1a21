"""What RusToK's servers say through Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rustok_daemon.redis.errors import RedisRefused, RedisUnavailable
from rustok_daemon.redis.interface import Redis
from rustok_daemon.supervision.specs import Backoff

from .channel import Channel, Status
from .errors import MalformedMessage
from .generations import GenerationTrack, Step
from .invalidator import Invalidator
from .reconnect import keep_listening
from .rejections import Rejections
from .rustok_formats import GENERATION_CHANNEL, INVALIDATE_CHANNEL, Generation, parse_generation, parse_invalidate

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_BACKOFF = Backoff(first=0.1, limit=5.0, reset_after=30.0)


class RedisListener:
    """Subscribed to both of RusToK's channels, and again after each loss.

    What a lost Redis means: RusToK's servers write into the database whose triggers we hear, so while that channel is
    healthy fresh entries stay fresh, and Redis may be down for as long as it likes. After every subscription there is
    one gap: it repairs what was said for any other reason (a writer whose triggers are off, an operator's own message)
    while nobody listened. Without the database's channel, the loss itself is a gap too.
    """

    def __init__(
        self,
        redis: Redis,
        channel: Channel,
        database: Channel,
        invalidator: Invalidator,
        report: Callable[[], None],
        log: FilteringBoundLogger,
    ) -> None:
        self._redis = redis
        self._channel = channel
        self._database = database
        self._invalidator = invalidator
        self._report = report
        self._log = log
        self._rejections = Rejections(channel, log)
        self._generations = GenerationTrack()

    async def run(self) -> None:
        await keep_listening(self._listen, self._lost, unless=(RedisUnavailable, RedisRefused), backoff=_BACKOFF)

    async def _listen(self) -> None:
        async with self._redis.subscribe(INVALIDATE_CHANNEL, GENERATION_CHANNEL) as subscription:
            self._subscribed()
            while True:
                self.apply(*await subscription.receive())

    def _subscribed(self) -> None:
        self._log.info("listening to Redis", channels=[INVALIDATE_CHANNEL, GENERATION_CHANNEL])
        self._generations.forget()
        self._channel.healthy()
        self._invalidator.gap(self._channel)
        self._report()

    def _lost(self, error: Exception) -> None:
        if self._channel.status is not Status.DEGRADED:
            self._log.warning("Redis is lost to the listener; it goes on without and tries again", reason=str(error))
        self._channel.degraded(str(error))
        if self._database.status is not Status.HEALTHY:
            self._invalidator.gap(self._channel)
        self._report()

    def apply(self, name: str, payload: bytes) -> None:
        """From a message to the view's bump without a checkpoint."""
        self._channel.heard()
        try:
            if name == GENERATION_CHANNEL:
                self._follow(parse_generation(payload))
            else:
                self._invalidator.invalidate("redis", (parse_invalidate(payload),))
        except MalformedMessage as error:
            self._rejections.add(name, error)

    def _follow(self, generation: Generation) -> None:
        step = self._generations.classify(generation)
        if step in (Step.DUPLICATE, Step.STALE):
            return
        if step in (Step.GAP, Step.UNVERIFIED_FIRST):
            self._invalidator.gap(self._channel)
        self._invalidator.invalidate("redis_generation", None if generation.tenant is None else (generation.tenant,))
        self._generations.acknowledge(generation)
        self._channel.position = generation.number
