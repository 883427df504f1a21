"""Ten tasks that start, stop and restart the same child fifty times each, at once; and the stress itself finds leaks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio

from rustok_daemon.asyncio_side import AsyncioSide
from rustok_daemon.asyncio_side.actor import AsyncioSideSettings
from rustok_daemon.supervision.actor import Actor, Context
from rustok_daemon.supervision.command import CommandProcess, CommandSettings
from rustok_daemon.testing import stress

pytestmark = pytest.mark.trio(run=trio.run)


class Settings(msgspec.Struct, frozen=True):
    """None."""


class Busy(Actor[Settings]):
    """Takes a moment for everything, and holds a descriptor while it lives."""

    async def setup(self) -> None:
        self.pipe = os.pipe()
        await trio.sleep(0.0005)

    async def background(self) -> None:
        while True:
            await trio.sleep(0.0001)

    async def teardown(self) -> None:
        await trio.sleep(0.0005)
        for end in getattr(self, "pipe", ()):
            os.close(end)


class Often(Busy):
    """Falls over again and again by itself."""

    async def background(self) -> None:
        await trio.sleep(0.002)
        raise RuntimeError("again")


def process() -> CommandProcess:
    return CommandProcess(CommandSettings(command=("/bin/sleep", "1000")))


SERVICES: tuple[tuple[Callable[[], Any], int], ...] = (
    (lambda: Busy(Settings()), 50),
    (lambda: Often(Settings()), 50),
    (lambda: AsyncioSide(AsyncioSideSettings()), 3),
    (process, 5),
)


@pytest.mark.parametrize(("make", "rounds"), SERVICES, ids=["actor", "failing actor", "asyncio side", "process"])
async def test_races_of_starts_and_stops_leave_nothing_and_hang_nowhere(make: Callable[[], Any], rounds: int) -> None:
    await stress(make, rounds=rounds)


leaked: list[int] = []


class Leaking:
    """A service that leaves a descriptor behind."""

    async def run(self, context: Context) -> None:
        leaked.append(os.dup(2))
        context.ready()
        await trio.sleep_forever()


async def test_the_stress_finds_a_leak() -> None:
    try:
        with pytest.raises(AssertionError, match="tasks and descriptors"):
            await stress(Leaking, tasks=2, rounds=4)
    finally:
        while leaked:
            os.close(leaked.pop())


class Hanging:
    """A service whose end never comes."""

    async def run(self, context: Context) -> None:
        context.ready()
        with trio.move_on_after(0.5, shield=True):
            await trio.sleep_forever()


async def test_the_stress_finds_a_stop_that_hangs() -> None:
    with pytest.raises((AssertionError, trio.TooSlowError, BaseExceptionGroup)):
        await stress(Hanging, tasks=1, rounds=3, within=0.1)
