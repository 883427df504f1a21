"""The hand-over between trio and the asyncio thread."""

from __future__ import annotations

import asyncio
import threading

import pytest
import trio
import trio.testing

from rustok_daemon.asyncio_side import AsyncioSide, Side, SideDied, SideStream, StreamOverflowed, open_side
from rustok_daemon.asyncio_side.actor import AsyncioSideSettings
from rustok_daemon.testing import run_actor


async def double(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


async def fail() -> None:
    raise ValueError("there")


async def test_results_and_errors_come_back() -> None:
    async with open_side() as side:
        assert await side.run(double, 21) == 42
        with pytest.raises(ValueError, match="there"):
            await side.run(fail)


async def test_a_thousand_at_once_each_gets_its_own() -> None:
    results: dict[int, int] = {}

    async with open_side() as side:

        async def one(n: int) -> None:
            results[n] = await side.run(double, n)

        async with trio.open_nursery() as nursery:
            for n in range(1000):
                nursery.start_soon(one, n)
        assert side.in_flight == 0
    assert results == {n: 2 * n for n in range(1000)}


async def test_a_cancel_cancels_the_coroutine_and_waits_for_it() -> None:
    ended = threading.Event()

    async def sleeper() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with open_side() as side:
        with trio.move_on_after(0.05) as scope:
            await side.run(sleeper)
        assert scope.cancelled_caught
        assert ended.is_set()


async def test_a_coroutine_that_ignores_its_cancel_is_waited_for_one_second_only() -> None:
    release = threading.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    async with open_side() as side:
        with trio.fail_after(3), trio.move_on_after(0.05) as scope:
            await side.run(stubborn)
        assert scope.cancelled_caught
        release.set()


async def test_the_death_of_the_thread_fails_what_is_open_and_what_comes() -> None:
    side = Side()

    async def forever() -> None:
        await asyncio.sleep(3600)

    async def expect_death() -> None:
        with pytest.raises(SideDied):
            await side.run(forever)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_death)
            await trio.sleep(0.05)
            side._loop.call_soon_threadsafe(side._loop.stop)
        with pytest.raises(SideDied):
            await side.run(double, 1)
        await side.stop()
    assert not side._thread.is_alive()


async def test_the_child_fails_when_its_thread_dies() -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        async with run_actor(AsyncioSide(AsyncioSideSettings())) as running:
            side: Side = running.view(Side)
            assert await side.run(double, 1) == 2
            side._loop.call_soon_threadsafe(side._loop.stop)
            await trio.sleep(5)
    assert caught.group_contains(SideDied, depth=None)


async def test_the_thread_is_joined_when_the_child_is_stopped() -> None:
    async with run_actor(AsyncioSide(AsyncioSideSettings())) as running:
        side: Side = running.view(Side)
    assert not side._thread.is_alive()


async def test_a_stream_keeps_order_and_says_when_it_loses() -> None:
    async with open_side() as side:
        stream: SideStream[int] = SideStream(side, capacity=3)

        async def feed(*items: int) -> None:
            for item in items:
                stream.put(item)

        await side.run(feed, 1, 2, 3)
        assert [await stream.get() for _ in range(3)] == [1, 2, 3]
        await side.run(feed, 1, 2, 3, 4, 5)
        await trio.testing.wait_all_tasks_blocked()
        assert [await stream.get() for _ in range(3)] == [1, 2, 3]
        with pytest.raises(StreamOverflowed):
            await stream.get()
