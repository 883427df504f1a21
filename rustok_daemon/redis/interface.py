"""What other rooms see of Redis: a client they borrow, never redis-py itself."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Subscription(Protocol):
    """Channels subscribed on a connection of their own, with a heartbeat through it."""

    async def receive(self) -> tuple[str, bytes]:
        """Waits for ``(channel, payload)``; a payload above 16 KiB is cut to one byte more than that.

        What arrived before the connection was lost is still handed out; then raises ``RedisUnavailable``, also when the
        server was silent for ``lost_after``.
        """


class Redis(Protocol):
    """The client, published as a view by who opened it.

    Every call ends within ``redis.timeout``; nothing is retried by itself. Raises ``RedisUnavailable`` (not reachable,
    lost, too slow), ``RedisRefused`` (the server answered with an error), ``RedisUnsupported`` (a cluster), ``Fenced``.
    """

    async def publish(self, channel: str, *payloads: bytes) -> None:
        """Publishes all payloads in order, in one round trip. After an error some may have gone out."""

    async def ping(self) -> None: ...

    def subscribe(
        self, *channels: str, heartbeat: float = 2.0, lost_after: float = 5.0
    ) -> AbstractAsyncContextManager[Subscription]:
        """Entered once the server has confirmed every channel: what is published from then on arrives."""
