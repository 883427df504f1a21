"""Telling RusToK's servers: who does it, what is said, and what happens while Redis is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
import structlog
import trio
from trio.testing import MockClock

from actors.cache_invalidation.metrics import ListenerMetrics
from actors.cache_invalidation.publisher import Publisher
from actors.cache_invalidation.rustok_formats import parse_invalidate
from actors.identities import Identity
from rustok_daemon.postgres.errors import DatabaseUnavailable
from rustok_daemon.postgres.interface import Database
from rustok_daemon.redis.errors import RedisUnavailable
from tests.cache_invalidation.seams import PostgresServer, RedisServer, View


def slug(value: str) -> Identity:
    return Identity("slug", value)


class Rig:
    def __init__(self) -> None:
        self.redis = RedisServer()
        self.server = PostgresServer()
        self.metrics = ListenerMetrics()
        database: View[Database] = View(self.server)
        self.publisher = Publisher(self.redis, database, self.metrics, structlog.get_logger())

    @property
    def said(self) -> list[Identity]:
        return [parse_invalidate(payload) for payload in self.redis.published]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.publisher.run)
            yield
            nursery.cancel_scope.cancel()


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_d15_every_identity_old_and_new_is_said_by_its_own_message(rig: Rig, autojump_clock: MockClock) -> None:
    rig.publisher.take_over()
    names = (slug("old"), slug("new"), Identity("host", "a.b"), Identity("uuid", str(UUID(int=1))))
    async with rig.running():
        rig.publisher.heard(names)
        await trio.sleep(1)
    assert rig.said == list(names)
    assert rig.redis.published[0] == b"tenant:v1:slug:old|tenant_negative:v1:slug:old"
    assert rig.metrics.published == 4


async def test_who_does_not_lead_says_nothing(rig: Rig, autojump_clock: MockClock) -> None:
    async with rig.running():
        rig.publisher.heard((slug("a"),))
        rig.publisher.heard(None)
        await trio.sleep(100)
    assert rig.said == []


async def test_who_takes_over_says_once_more_what_was_just_heard(rig: Rig, autojump_clock: MockClock) -> None:
    async with rig.running():
        rig.publisher.heard((slug("long-ago"),))
        await trio.sleep(10.5)
        rig.publisher.heard((slug("just-now"),))
        await trio.sleep(1)
        rig.publisher.take_over()
        await trio.sleep(1)
        assert rig.said == [slug("just-now")]
        rig.publisher.take_over()
        await trio.sleep(1)
        assert rig.said == [slug("just-now")]


async def test_what_changed_while_redis_was_away_is_said_once_when_it_is_back(
    rig: Rig, autojump_clock: MockClock
) -> None:
    rig.publisher.take_over()
    rig.redis.down = RedisUnavailable("away")
    async with rig.running():
        for _ in range(50):
            rig.publisher.heard((slug("a"), slug("b")))
            await trio.sleep(1)
        assert rig.metrics.publish_failures >= 10
        rig.redis.down = None
        await trio.sleep(2)
        assert sorted(rig.said, key=lambda name: name.value) == [slug("a"), slug("b")]


async def test_what_is_pending_is_bounded_and_becomes_everything(rig: Rig, autojump_clock: MockClock) -> None:
    rig.publisher.take_over()
    rig.redis.down = RedisUnavailable("away")
    rig.server.tenants = [row(n) for n in range(3)]
    async with rig.running():
        for n in range(10_001):
            rig.publisher.heard((slug(f"x{n}"),))
        rig.redis.down = None
        await trio.sleep(5)
    assert len(rig.said) == 9


async def test_everything_names_every_tenant_the_database_has(rig: Rig, autojump_clock: MockClock) -> None:
    rig.publisher.take_over()
    rig.server.tenants = [row(n) for n in range(1201)]
    async with rig.running():
        rig.publisher.heard(None)
        await trio.sleep(5)
    assert len(rig.said) == 3 * 1201
    assert len(set(rig.said)) == 3 * 1201


async def test_a_sweep_goes_on_where_it_was_interrupted(rig: Rig, autojump_clock: MockClock) -> None:
    rig.publisher.take_over()
    rig.server.tenants = [row(n) for n in range(600)]
    rig.server.down = DatabaseUnavailable("away")
    async with rig.running():
        rig.publisher.heard(None)
        await trio.sleep(10)
        assert rig.said == []
        rig.server.down = None
        await trio.sleep(5)
    assert len(rig.said) == 3 * 600


async def test_a_change_during_a_sweep_is_said_too(rig: Rig, autojump_clock: MockClock) -> None:
    rig.publisher.take_over()
    rig.server.tenants = [row(n) for n in range(600)]
    async with rig.running():
        rig.publisher.heard(None)
        rig.publisher.heard((slug("late"),))
        await trio.sleep(5)
    assert slug("late") in rig.said


async def test_a_change_is_said_between_two_pieces_of_a_long_sweep(rig: Rig, autojump_clock: MockClock) -> None:
    rig.publisher.take_over()
    rig.server.tenants = [row(n) for n in range(5000)]
    async with rig.running():
        rig.publisher.heard(None)
        await trio.sleep(0.2)
        rig.publisher.heard((slug("late"),))
        await trio.sleep(0.06)
        assert slug("late") in rig.said
        assert len(rig.said) < 3 * 5000
        await trio.sleep(5)
    assert len(rig.said) == 3 * 5000 + 1


async def test_names_that_fit_in_no_message_are_left_out(rig: Rig, autojump_clock: MockClock) -> None:
    rig.publisher.take_over()
    rig.server.tenants = [{"id": UUID(int=1), "slug": "a|b", "domain": None}]
    async with rig.running():
        rig.publisher.heard(None)
        await trio.sleep(5)
    assert rig.said == [Identity("uuid", str(UUID(int=1)))]


def row(n: int) -> dict[str, Any]:
    return {"id": UUID(int=n), "slug": f"s{n}", "domain": f"s{n}.example"}
