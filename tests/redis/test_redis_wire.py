"""The asyncio half of the Redis client against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from rustok_daemon.redis.errors import RedisRefused, RedisUnavailable, RedisUnsupported
from rustok_daemon.redis.wire import Wire
from tests.redis_servers import RedisProcess

Queue = asyncio.Queue[tuple[str, bytes]]


def in_asyncio(test: Callable[[Wire], Awaitable[None]], url: str, timeout: float = 1.0) -> None:
    async def main() -> None:
        wire = Wire(url, timeout)
        try:
            async with asyncio.timeout(20):
                await test(wire)
        finally:
            await wire.close()

    asyncio.run(main())


@asynccontextmanager
async def listening(
    wire: Wire, heartbeat: float = 2.0, lost_after: float = 5.0
) -> AsyncIterator[tuple[Queue, asyncio.Task[None]]]:
    queue: Queue = asyncio.Queue()
    ready = asyncio.Event()
    task = asyncio.create_task(wire.listen(["a", "b"], heartbeat, lost_after, ready.set, queue.put_nowait))
    waiter = asyncio.create_task(ready.wait())
    await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiter.cancel()
        await task
    yield queue, task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_what_is_published_arrives_in_order(redis_server: RedisProcess) -> None:
    async def test(wire: Wire) -> None:
        async with listening(wire) as (queue, _):
            await wire.publish("a", [b"%d" % n for n in range(1000)])
            assert [await queue.get() for _ in range(1000)] == [("a", b"%d" % n) for n in range(1000)]

    in_asyncio(test, redis_server.url)


def test_a_long_payload_is_cut_so_that_it_is_seen_as_too_long(redis_server: RedisProcess) -> None:
    async def test(wire: Wire) -> None:
        async with listening(wire) as (queue, _):
            await wire.publish("a", [b"x" * (1 << 20)])
            assert await queue.get() == ("a", b"x" * (16 * 1024 + 1))

    in_asyncio(test, redis_server.url)


def test_a_server_that_ends_is_lost_at_once(redis_server: RedisProcess) -> None:
    async def test(wire: Wire) -> None:
        async with listening(wire) as (_, task):
            redis_server.kill()
            with pytest.raises(RedisUnavailable):
                await task

    in_asyncio(test, redis_server.url)


def test_a_frozen_server_is_lost_when_its_heartbeat_stays_out(redis_server: RedisProcess) -> None:
    async def test(wire: Wire) -> None:
        async with listening(wire, heartbeat=0.1, lost_after=0.4) as (_, task):
            redis_server.freeze()
            with pytest.raises(RedisUnavailable, match="silent"):
                await task
            with pytest.raises(RedisUnavailable, match="no answer"):
                await wire.ping()

    in_asyncio(test, redis_server.url, timeout=0.3)


def test_an_idle_channel_is_kept_by_its_heartbeat(redis_server: RedisProcess) -> None:
    async def test(wire: Wire) -> None:
        async with listening(wire, heartbeat=0.05, lost_after=0.3) as (_, task):
            await asyncio.wait([task], timeout=1)
            assert not task.done()

    in_asyncio(test, redis_server.url)


def test_nothing_is_sent_twice_and_a_restarted_server_is_used_again(redis_server: RedisProcess) -> None:
    async def test(wire: Wire) -> None:
        await wire.ping()
        redis_server.stop()
        with pytest.raises(RedisUnavailable):
            await wire.publish("a", [b"x"])
        redis_server.start()
        await wire.ping()

    in_asyncio(test, redis_server.url)


def test_a_wrong_password_is_a_refusal_and_no_outage() -> None:
    with RedisProcess.running("--aclfile", "/dev/null", "--rename-command", "ECHO", "") as server:
        server.command("CONFIG", "SET", "requirepass", "secret")

        async def test(wire: Wire) -> None:
            with pytest.raises(RedisRefused) as refused:
                await wire.ping()
            assert "wrong" not in str(refused.value)
            with pytest.raises(RedisRefused):
                async with listening(wire):
                    raise AssertionError("subscribed without a password")

        in_asyncio(test, f"unix://:wrong@{server.socket}")


def test_a_cluster_is_refused() -> None:
    with RedisProcess.running("--cluster-enabled", "yes", "--port", "0") as server:

        async def test(wire: Wire) -> None:
            with pytest.raises(RedisUnsupported, match="Cluster"):
                async with listening(wire):
                    raise AssertionError("subscribed to a cluster")

        in_asyncio(test, server.url)
