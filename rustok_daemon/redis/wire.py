"""The half of the client that lives in the asyncio thread: redis-py, told to retry nothing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, ResponseError
from redis.exceptions import RedisError as AnyRedisError

from .errors import RedisRefused, RedisUnavailable, RedisUnsupported

_CONNECTIONS = 8
_MAX_PAYLOAD = 16 * 1024
_HEARTBEAT = "rustok"
_REFUSALS = (AuthenticationError, AuthorizationError, ResponseError)


class Wire:
    """Connections to one server. Made, used and closed in the asyncio thread only."""

    def __init__(self, url: str, timeout: float) -> None:
        self._timeout = timeout
        self._pool = BlockingConnectionPool.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            max_connections=_CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
        )
        self._redis = Redis(connection_pool=self._pool)

    async def publish(self, channel: str, payloads: Sequence[bytes]) -> None:
        async with self._bounded(), self._redis.pipeline(transaction=False) as pipeline:
            for payload in payloads:
                pipeline.publish(channel, payload)
            await pipeline.execute()

    async def ping(self) -> None:
        async with self._bounded():
            await self._redis.ping()

    async def listen(
        self,
        channels: Sequence[str],
        heartbeat: float,
        lost_after: float,
        subscribed: Callable[[], None],
        deliver: Callable[[tuple[str, bytes]], None],
    ) -> None:
        """Subscribes on a connection of its own and delivers until it is lost, which it raises; it never returns."""
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        try:
            async with self._bounded():
                await connection.connect()  # type: ignore[no-untyped-call]  # redis-py leaves it bare
                await _refuse_cluster(connection)
                early = await _subscribe(connection, channels)
            subscribed()
            for message in early:
                deliver(message)
            with _translated():
                await _deliver_until_lost(connection, heartbeat, lost_after, deliver)
        finally:
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Whatever the connections still say to it is of no interest."""
        with suppress(RedisUnavailable):
            async with self._bounded():
                await self._pool.disconnect()

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        with _translated():
            try:
                async with asyncio.timeout(self._timeout):
                    yield
            except TimeoutError:
                raise RedisUnavailable(f"no answer within {self._timeout:g} s") from None


async def _subscribe(connection: AbstractConnection, channels: Sequence[str]) -> list[tuple[str, bytes]]:
    """Until the server has confirmed every channel; hands back what the first of them brought meanwhile."""
    await connection.send_command("SUBSCRIBE", *channels)
    waiting, early = len(channels), []
    while waiting:
        reply = await connection.read_response()
        if reply[0] == b"subscribe":
            waiting -= 1
        elif reply[0] == b"message":
            early.append(_message(reply))
    return early


async def _deliver_until_lost(
    connection: AbstractConnection, heartbeat: float, lost_after: float, deliver: Callable[[tuple[str, bytes]], None]
) -> None:
    """A PING through the subscription itself: a server that is frozen or behind a half-open connection stays silent."""
    now = asyncio.get_running_loop().time
    heard = now()
    beat_at = heard + heartbeat
    while True:
        if now() >= beat_at:
            await connection.send_command("PING", _HEARTBEAT)
            beat_at = now() + heartbeat
        reply = await connection.read_response(timeout=max(0.0, min(beat_at, heard + lost_after) - now()))
        if reply is not None:
            if reply[0] == b"message":
                deliver(_message(reply))
            heard = now()
        elif now() - heard >= lost_after:
            raise RedisUnavailable(f"silent for {lost_after:g} s")


def _message(reply: Sequence[Any]) -> tuple[str, bytes]:
    return reply[1].decode(), reply[2][: _MAX_PAYLOAD + 1]


async def _refuse_cluster(connection: AbstractConnection) -> None:
    """HELLO without a version changes nothing and says the server's mode; servers before 6.0 do not know it."""
    await connection.send_command("HELLO")
    try:
        reply = await connection.read_response()
    except ResponseError:
        return
    if dict(zip(reply[::2], reply[1::2], strict=False)).get(b"mode") == b"cluster":
        raise RedisUnsupported("the server is part of a Redis Cluster, which is not supported")


@contextmanager
def _translated() -> Iterator[None]:
    """redis-py's exceptions become ours."""
    try:
        yield
    except (AnyRedisError, OSError) as error:
        refused = isinstance(error, _REFUSALS) or isinstance(
            error.__cause__, _REFUSALS
        )  # while connecting, it is wrapped
        raise (RedisRefused if refused else RedisUnavailable)(str(error) or type(error).__name__) from error
