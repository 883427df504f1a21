"""What other rooms see of Redis: a client they borrow, never redis-py itself."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Subscription(Protocol):
    """Channels subscribed on a connection of their own, with a heartbeat through it."""

    async def receive(self) -> tuple[str, bytes]:
        """Waits for ``(channel, payload)``. Raises ``RedisUnavailable`` once the connection is lost or silent for ``lost_after``."""


class Redis(Protocol):
    """The client. Raises ``RedisUnavailable`` within ``redis.timeout``; nothing is retried by itself."""

    async def publish(self, channel: str, payload: bytes) -> int: ...

    async def ping(self) -> None: ...

    def subscribe(
        self, *channels: str, heartbeat: float = 2.0, lost_after: float = 5.0
    ) -> AbstractAsyncContextManager[Subscription]: ...
