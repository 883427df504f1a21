"""What the listener does with what comes through Redis, and with a Redis that goes and comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import structlog
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from actors.cache_invalidation.channel import Channel, Status
from actors.cache_invalidation.invalidator import Invalidator
from actors.cache_invalidation.redis_listener import RedisListener
from actors.cache_invalidation.rustok_formats import (
    GENERATION_CHANNEL,
    INVALIDATE_CHANNEL,
    Generation,
    format_generation,
    format_invalidate,
)
from actors.identities import Identity
from actors.messages import Invalidated, TenantDirectory
from rustok_daemon.redis.errors import RedisUnavailable
from tests.cache_invalidation.seams import GAP, Directory, RedisServer, Resolver, View

DEMO = Identity("slug", "demo")
ONE = Identity("uuid", "00000000-0000-0000-0000-000000000001")
LOST = RedisUnavailable("lost")


class Rig:
    """A listener between a Redis and a resolver of the test's own."""

    def __init__(self) -> None:
        self.redis = RedisServer()
        self.directory = Directory()
        self.view: View[TenantDirectory] = View(self.directory)
        self.resolver = Resolver()
        self.database = Channel("postgres")
        self.database.healthy()
        self.channel = Channel("redis")
        self.reports = 0
        invalidator = Invalidator(self.view, self.resolver)
        log = structlog.get_logger()
        self.listener = RedisListener(self.redis, self.channel, self.database, invalidator, self._reported, log)

    def _reported(self) -> None:
        self.reports += 1

    def hear(self, channel: str, payload: bytes) -> None:
        self.listener.apply(channel, payload)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.listener.run)
            yield
            nursery.cancel_scope.cancel()


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_the_first_subscription_is_followed_by_a_gap(rig: Rig, autojump_clock: MockClock) -> None:
    async with rig.running():
        assert await rig.directory.until(1) == [GAP]
        assert rig.channel.status is Status.HEALTHY
        assert len(rig.redis.feeds) == 1, "subscribed first, then the gap"


async def test_d08_a_message_invalidates_what_it_names(rig: Rig, autojump_clock: MockClock) -> None:
    async with rig.running():
        await rig.directory.until(1)
        rig.redis.feeds[0].put((INVALIDATE_CHANNEL, format_invalidate(DEMO)))
        assert await rig.directory.until(2) == [GAP, (DEMO,)]
    assert rig.resolver.told == [Invalidated("redis", (DEMO,))]
    assert rig.channel.messages == 1


async def test_d09_a_lost_redis_is_subscribed_again_and_one_gap_follows(rig: Rig, autojump_clock: MockClock) -> None:
    async with rig.running():
        await rig.directory.until(1)
        rig.redis.feeds[0].put(LOST)
        assert await rig.directory.until(2) == [GAP, GAP]
    assert len(rig.redis.feeds) == 2
    assert rig.channel.gaps == 2


async def test_while_the_databases_channel_is_healthy_a_lost_redis_leaves_the_cache_alone(
    rig: Rig, autojump_clock: MockClock
) -> None:
    async with rig.running():
        await rig.directory.until(1)
        rig.redis.down = LOST
        rig.redis.feeds[0].put(LOST)
        await trio.sleep(600)
        assert rig.directory.calls == [GAP]
        assert rig.channel.status is Status.DEGRADED
        assert rig.channel.reason == "lost"
        rig.redis.down = None
        assert await rig.directory.until(2) == [GAP, GAP]
        assert rig.channel.status is Status.HEALTHY


@pytest.mark.parametrize("status", [Status.STARTING, Status.DEGRADED, Status.OFF])
async def test_without_the_databases_channel_the_loss_is_a_gap_at_once(
    rig: Rig, status: Status, autojump_clock: MockClock
) -> None:
    rig.database.status = status
    async with rig.running():
        await rig.directory.until(1)
        rig.redis.down = LOST
        rig.redis.feeds[0].put(LOST)
        lost_at = trio.current_time()
        await rig.directory.until(2)
        assert rig.directory.at[1] == lost_at


async def test_d20_a_redis_that_is_down_at_boot_is_used_when_it_comes(rig: Rig, autojump_clock: MockClock) -> None:
    rig.redis.down = LOST
    async with rig.running():
        await trio.sleep(3600)
        assert rig.directory.calls == []
        rig.redis.down = None
        await rig.directory.until(1)
        assert rig.channel.status is Status.HEALTHY


async def test_a_flapping_redis_is_waited_for_longer_and_longer_and_a_sound_one_is_not(
    rig: Rig, autojump_clock: MockClock
) -> None:
    async with rig.running():
        for n in range(1, 30):
            await rig.directory.until(n)
            rig.redis.feeds[-1].put(LOST)
        await rig.directory.until(30)
        assert rig.redis.attempts[-1] - rig.redis.attempts[-2] > 3.5
        await trio.sleep(60)
        rig.redis.feeds[-1].put(LOST)
        lost_at = trio.current_time()
        await rig.directory.until(31)
        assert rig.redis.attempts[-1] - lost_at < 0.5


async def test_what_nobody_publishes_a_view_for_is_not_kept(rig: Rig, autojump_clock: MockClock) -> None:
    rig.view.current = None
    rig.hear(INVALIDATE_CHANNEL, format_invalidate(DEMO))
    assert rig.resolver.told == []
    assert rig.channel.messages == 1


async def test_d28_garbage_is_counted_and_logged_with_a_limit(rig: Rig, autojump_clock: MockClock) -> None:
    with capture_logs() as logs:
        for _ in range(1000):
            rig.hear(INVALIDATE_CHANNEL, b"tenant:v1:slug:*|tenant_negative:v1:slug:*")
            rig.hear(GENERATION_CHANNEL, b"v1:0:0:")
        assert len(logs) == 10
        await trio.sleep(301)
        rig.hear(INVALIDATE_CHANNEL, b"")
        assert len(logs) == 11
    assert rig.channel.rejected == 2001
    assert rig.directory.calls == []


async def test_generations_in_order_invalidate_their_tenant(rig: Rig, autojump_clock: MockClock) -> None:
    for number in (5, 6, 7):
        rig.hear(GENERATION_CHANNEL, format_generation(Generation(number, 1, ONE)))
    assert rig.directory.calls == [GAP, (ONE,), (ONE,), (ONE,)]
    assert rig.resolver.told[-1] == Invalidated("redis_generation", (ONE,))
    assert rig.channel.details()["position"] == 7


async def test_a_generation_of_all_tenants_invalidates_everything(rig: Rig, autojump_clock: MockClock) -> None:
    rig.hear(GENERATION_CHANNEL, format_generation(Generation(5, 1, None)))
    assert rig.directory.calls == [GAP, None]


async def test_a_generation_left_out_is_a_gap(rig: Rig, autojump_clock: MockClock) -> None:
    for number in (5, 7):
        rig.hear(GENERATION_CHANNEL, format_generation(Generation(number, 1, ONE)))
    assert rig.directory.calls == [GAP, (ONE,), GAP, (ONE,)]


async def test_a_generation_heard_before_is_ignored(rig: Rig, autojump_clock: MockClock) -> None:
    for number in (5, 5, 4):
        rig.hear(GENERATION_CHANNEL, format_generation(Generation(number, 1, ONE)))
    assert rig.directory.calls == [GAP, (ONE,)]


async def test_a_generation_is_unverified_again_after_a_lost_channel(rig: Rig, autojump_clock: MockClock) -> None:
    async with rig.running():
        await rig.directory.until(1)
        rig.redis.feeds[0].put((GENERATION_CHANNEL, format_generation(Generation(5, 1, ONE))))
        await rig.directory.until(3)
        rig.redis.feeds[0].put(LOST)
        await rig.directory.until(4)
        rig.redis.feeds[1].put((GENERATION_CHANNEL, format_generation(Generation(6, 1, ONE))))
        assert (await rig.directory.until(6))[3:] == [GAP, GAP, (ONE,)]


async def test_details_are_plain_data(rig: Rig, autojump_clock: MockClock) -> None:
    rig.hear(INVALIDATE_CHANNEL, format_invalidate(DEMO))
    details = msgspec.json.decode(msgspec.json.encode(rig.channel.details()))
    assert details["messages"] == 1
    assert details["last_message_at"].endswith("+00:00")
