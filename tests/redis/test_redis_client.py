"""The client as other rooms borrow it: from trio, over the asyncio thread, against a real server."""

from __future__ import annotations

import pytest
import trio

from rustok_daemon.asyncio_side import open_side
from rustok_daemon.redis.client import open_redis
from rustok_daemon.redis.errors import RedisRefused, RedisUnavailable
from rustok_daemon.supervision.errors import Fenced
from tests.redis_servers import RedisProcess


class Fence:
    """Raised on command."""

    raised = False

    def check(self) -> None:
        if self.raised:
            raise Fenced("abandoned")


async def test_a_subscription_hears_what_is_published_after_it_was_entered(redis_server: RedisProcess) -> None:
    with trio.fail_after(10):
        async with open_side() as side, open_redis(side, redis_server.url, 1.0) as redis:
            async with redis.subscribe("a", "b") as subscription:
                await redis.publish("a", *(b"%d" % n for n in range(2000)))
                await redis.publish("b", b"last")
                for n in range(2000):
                    assert await subscription.receive() == ("a", b"%d" % n)
                assert await subscription.receive() == ("b", b"last")
            await until(lambda: redis_server.subscribers("a") == 0)


async def test_what_arrived_before_the_loss_is_still_handed_out(redis_server: RedisProcess) -> None:
    with trio.fail_after(10):
        async with (
            open_side() as side,
            open_redis(side, redis_server.url, 1.0) as redis,
            redis.subscribe("a") as subscription,
        ):
            await redis.publish("a", b"1", b"2")
            await trio.to_thread.run_sync(redis_server.drop_clients)
            assert [await subscription.receive() for _ in range(2)] == [("a", b"1"), ("a", b"2")]
            for _ in range(2):
                with pytest.raises(RedisUnavailable):
                    await subscription.receive()


async def test_a_reader_that_falls_behind_is_told_that_it_lost_messages(redis_server: RedisProcess) -> None:
    with trio.fail_after(20):
        async with (
            open_side() as side,
            open_redis(side, redis_server.url, 5.0) as redis,
            redis.subscribe("a") as subscription,
        ):
            for _ in range(10):
                await redis.publish("a", *[b"x"] * 5_000)
            with pytest.raises(RedisUnavailable, match="behind"):
                while True:
                    await subscription.receive()


async def test_a_server_that_is_not_there_fails_at_once_and_a_frozen_one_in_time(redis_server: RedisProcess) -> None:
    with trio.fail_after(10):
        async with open_side() as side, open_redis(side, redis_server.url, 0.3) as redis:
            await redis.ping()
            redis_server.freeze()
            began = trio.current_time()
            with pytest.raises(RedisUnavailable):
                await redis.publish("a", b"x")
            with pytest.raises(RedisUnavailable):
                async with redis.subscribe("a"):
                    raise AssertionError("a frozen server confirmed")
            assert trio.current_time() - began < 1.5
            redis_server.kill()
            with pytest.raises(RedisUnavailable):
                await redis.ping()


async def test_a_cancelled_call_to_a_frozen_server_ends(redis_server: RedisProcess) -> None:
    with trio.fail_after(10):
        async with open_side() as side, open_redis(side, redis_server.url, 60.0) as redis:
            redis_server.freeze()
            with trio.move_on_after(0.1) as scope:
                await redis.ping()
            assert scope.cancelled_caught
            redis_server.kill()


async def test_a_side_thread_that_is_gone_is_an_unavailable_redis(redis_server: RedisProcess) -> None:
    with trio.fail_after(10):
        async with open_side() as side, open_redis(side, redis_server.url, 1.0) as redis:
            await side.stop()
            with pytest.raises(RedisUnavailable):
                await redis.ping()
            with pytest.raises(RedisUnavailable):
                async with redis.subscribe("a"):
                    raise AssertionError("subscribed without a thread")


async def test_an_abandoned_holder_is_refused(redis_server: RedisProcess) -> None:
    with trio.fail_after(10):
        async with open_side() as side, open_redis(side, redis_server.url, 1.0) as redis:
            fence = Fence()
            held = redis.held_by(fence)
            await held.ping()
            fence.raised = True
            with pytest.raises(Fenced):
                await held.publish("a", b"x")
            with pytest.raises(Fenced):
                async with held.subscribe("a"):
                    raise AssertionError("subscribed behind a fence")
            await redis.ping()


async def test_an_error_of_the_server_is_a_refusal(redis_server: RedisProcess) -> None:
    redis_server.command("ACL", "SETUSER", "default", "resetchannels", "-publish")
    with trio.fail_after(10):
        async with open_side() as side, open_redis(side, redis_server.url, 1.0) as redis:
            with pytest.raises(RedisRefused):
                await redis.publish("a", b"x")
            with pytest.raises(RedisRefused):
                async with redis.subscribe("a"):
                    raise AssertionError("subscribed without permission")


async def until(condition: object) -> None:
    """Waits for what another process does."""
    assert callable(condition)
    while not await trio.to_thread.run_sync(condition):
        await trio.sleep(0.005)
