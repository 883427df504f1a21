"""What the listener does with what comes through NOTIFY, and with a channel that is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from actors.cache_invalidation.channel import Channel, Status
from actors.cache_invalidation.invalidator import Invalidator
from actors.cache_invalidation.postgres_listener import PostgresListener
from actors.identities import Identity
from actors.messages import Invalidated, TenantDirectory
from rustok_daemon.postgres.errors import DatabaseUnavailable
from rustok_daemon.postgres.interface import Database
from tests.cache_invalidation.seams import GAP, Directory, PostgresServer, Resolver, View

LOST = DatabaseUnavailable("lost")
DEMO = Identity("slug", "demo")


class Rig:
    """A listener between a database and a resolver of the test's own."""

    def __init__(self) -> None:
        self.server = PostgresServer()
        self.database: View[Database] = View(self.server)
        self.directory = Directory()
        self.view: View[TenantDirectory] = View(self.directory)
        self.resolver = Resolver()
        self.channel = Channel("postgres")
        self.channel.starting()
        self.reports: list[Status] = []
        invalidator = Invalidator(self.view, self.resolver)
        log = structlog.get_logger()
        self.listener = PostgresListener(self.database, self.channel, invalidator, None, self._reported, log)

    def _reported(self) -> None:
        self.reports.append(self.channel.status)

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
        assert len(rig.server.sessions) == 1, "listening first, then the gap"
        await trio.sleep(0.5)
        assert rig.channel.status is Status.HEALTHY
        assert rig.reports == [Status.HEALTHY]


async def test_d08_a_notification_invalidates_what_it_names(rig: Rig, autojump_clock: MockClock) -> None:
    async with rig.running():
        await rig.directory.until(1)
        rig.server.sessions[0].put(("rustok_tenant_invalidate", '["slug:demo"]'))
        rig.server.sessions[0].put(("rustok_tenant_invalidate", "*"))
        assert await rig.directory.until(3) == [GAP, (DEMO,), None]
    assert rig.resolver.told == [Invalidated("notify", (DEMO,)), Invalidated("notify", None)]


async def test_a_message_is_applied_without_a_checkpoint(rig: Rig, autojump_clock: MockClock) -> None:
    with trio.testing.assert_no_checkpoints():
        rig.listener.apply('["slug:demo"]')
    assert rig.directory.calls == [(DEMO,)]


async def test_d09_a_lost_channel_is_a_gap_at_once_and_again_when_it_is_back(
    rig: Rig, autojump_clock: MockClock
) -> None:
    async with rig.running():
        await rig.directory.until(1)
        await trio.sleep(60)
        rig.server.sessions[0].put(LOST)
        lost_at = trio.current_time()
        assert await rig.directory.until(3) == [GAP, GAP, GAP]
        assert rig.directory.at[1] == lost_at
        assert rig.directory.at[2] == rig.server.attempts[1], "listening again first"
        assert len(rig.server.sessions) == 2


async def test_while_the_channel_is_away_nothing_cached_stays_fresh_for_long(
    rig: Rig, autojump_clock: MockClock
) -> None:
    """Loads may work while LISTEN does not: each attempt that fails is a gap for what they brought."""
    async with rig.running():
        await rig.directory.until(1)
        rig.server.down = LOST
        rig.server.sessions[0].put(LOST)
        await trio.sleep(600)
        assert rig.channel.status is Status.DEGRADED
        pauses = [later - earlier for earlier, later in zip(rig.directory.at[1:], rig.directory.at[2:], strict=False)]
        assert max(pauses) <= 2.4
        rig.server.down = None
        before = len(rig.directory.calls)
        await rig.directory.until(before + 1)
        await trio.sleep(0.5)
        assert rig.channel.status is Status.HEALTHY


async def test_a_database_that_nobody_publishes_is_waited_for(rig: Rig, autojump_clock: MockClock) -> None:
    rig.database.current = None
    async with rig.running():
        await trio.sleep(60)
        assert rig.channel.status is Status.DEGRADED
        rig.database.current = rig.server
        await trio.sleep(3)
        assert rig.channel.status is Status.HEALTHY


async def test_a_message_that_cannot_be_read_is_as_good_as_lost(rig: Rig, autojump_clock: MockClock) -> None:
    with capture_logs() as logs:
        for _ in range(100):
            rig.listener.apply("{}")
    assert rig.directory.calls == [GAP] * 100
    assert rig.channel.rejected == 100
    assert len(logs) == 10


async def test_missing_triggers_are_said_and_their_return_too(rig: Rig, autojump_clock: MockClock) -> None:
    rig.server.triggers_in_place = False
    async with rig.running():
        await trio.sleep(5)
        assert rig.channel.status is Status.DEGRADED
        assert "db migrate" in (rig.channel.reason or "")
        rig.server.triggers_in_place = True
        await trio.sleep(2)
        assert rig.channel.status is Status.HEALTHY
        rig.server.triggers_in_place = False
        await trio.sleep(2)
        assert rig.channel.status is Status.DEGRADED
        assert rig.reports == [Status.DEGRADED, Status.HEALTHY, Status.DEGRADED]


async def test_what_changed_while_the_triggers_were_missing_is_read_again(rig: Rig, autojump_clock: MockClock) -> None:
    """The channel was healthy again after a bulk load with triggers off, and old tenants stayed fresh to their ttl."""
    async with rig.running():
        await trio.sleep(10)
        assert rig.directory.calls == [GAP]
        rig.server.triggers_in_place = False
        await trio.sleep(10)
        while_missing = len(rig.directory.calls)
        assert while_missing in (10, 11, 12), "nothing cached stays fresh for long"
        rig.server.triggers_in_place = True
        await trio.sleep(10)
        assert rig.directory.calls == [GAP] * (while_missing + 1)


async def test_an_error_of_our_own_leaves_the_actor(rig: Rig, autojump_clock: MockClock) -> None:
    rig.server.down = ZeroDivisionError("a bug")
    with pytest.raises(ExceptionGroup) as failed:
        async with rig.running():
            await trio.sleep(60)
    assert failed.group_contains(ZeroDivisionError)
