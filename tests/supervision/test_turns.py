"""A full mailbox keeps nobody else waiting for long: so many messages, or so much handling, and others get their turn."""

from __future__ import annotations

import time

import msgspec
import pytest
import trio

from rustok_daemon.supervision.actor import Actor, Message, receive
from rustok_daemon.supervision.mailbox import BATCH, TURN
from rustok_daemon.testing import run_actor


class NoSettings(msgspec.Struct, frozen=True):
    """It has none."""


class Work(Message, frozen=True):
    """Costs its handler so many seconds."""

    seconds: float


class Worker(Actor[NoSettings]):
    Settings = NoSettings
    done = 0

    @receive
    def on_work(self, message: Work) -> None:
        end = time.perf_counter() + message.seconds
        while time.perf_counter() < end:
            pass
        self.done += 1


@pytest.mark.parametrize(("seconds", "most"), [(0.0, BATCH), (TURN * 0.6, 2)])
async def test_others_get_their_turn(seconds: float, most: int) -> None:
    async with run_actor(worker := Worker(NoSettings())) as running:
        for _ in range(500):
            running.ref.tell_nowait(Work(seconds))
        between: list[int] = []
        seen = 0
        while worker.done < 500:
            await trio.lowlevel.checkpoint()
            between.append(worker.done - seen)
            seen = worker.done
    assert 0 < max(between) <= 2 * most, "at most two turns lie between two of another's: trio shuffles each round"
