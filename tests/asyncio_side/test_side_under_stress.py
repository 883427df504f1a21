"""The hand-over under cancellation at every moment: each call gets its own answer or its own cancel, and none stays."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from rustok_daemon.asyncio_side import Side, SideDied, open_side


class Ledger:
    """What began and ended in the asyncio thread."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0

    async def work(self, number: int, seconds: float, fails: bool) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(seconds)
            if fails:
                raise ValueError(number)
            return number
        finally:
            self.running -= 1


async def call(side: Side, ledger: Ledger, number: int, rng: random.Random, ends: Counter[str]) -> None:
    fails = rng.random() < 0.2
    patience = rng.choice([0.0, 0.0005, 0.002, 0.01, 1.0])
    with trio.move_on_after(patience) as scope:
        try:
            answer = await side.run(ledger.work, number, rng.choice([0.0, 0.001, 0.005]), fails)
        except ValueError as error:
            ends["error" if fails and error.args == (number,) else "somebody else's error"] += 1
        else:
            assert answer == number
            ends["value"] += 1
    ends["cancelled"] += scope.cancelled_caught


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
async def test_each_of_many_calls_ends_once_in_its_own_way(seed: int) -> None:
    rng, ledger, ends = random.Random(seed), Ledger(), Counter[str]()
    async with open_side() as side:
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for number in range(300):
                    nursery.start_soon(call, side, ledger, number, rng, ends)
                    if rng.random() < 0.05:
                        await trio.sleep(0.001)
        assert side.in_flight == 0
        assert ledger.running == 0, "a cancel was waited for"
        assert await side.run(ledger.work, 7, 0, False) == 7
    assert ends.total() == 300
    assert ends.keys() <= {"value", "error", "cancelled"}
    assert ledger.most > 1


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.01])
async def test_whatever_is_open_when_the_thread_dies_fails_with_its_death(delay: float) -> None:
    side, ledger, ends = Side(), Ledger(), Counter[str]()

    async def one(number: int) -> None:
        try:
            await side.run(ledger.work, number, 0.005 * (number % 3) if number % 2 else 60.0, False)
        except SideDied:
            ends["died"] += 1
        else:
            ends["value"] += 1

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(one, number)
            await trio.sleep(delay)
            side._loop.call_soon_threadsafe(side._loop.stop)
            for number in range(200, 300):
                nursery.start_soon(one, number)
        await side.stop()
    assert ends.total() == 300
    assert ends["died"] >= 100
    assert side.in_flight == 0
    assert not side._thread.is_alive()


async def test_a_stop_while_calls_are_open_fails_them_and_comes_to_its_end() -> None:
    side, ledger = Side(), Ledger()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            async def one() -> None:
                with pytest.raises(SideDied):
                    await side.run(ledger.work, 1, 60.0, False)

            for _ in range(50):
                nursery.start_soon(one)
            await trio.sleep(0.02)
            await side.stop()
    side.call_soon(print, "nobody is there any more, and it is no error")
