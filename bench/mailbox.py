"""Tell and ask between two actors of a tree, beside raw trio channels and pykka's threads.

Every side handles the same numbered messages, one after the other, and is timed from the first send until the last one
was handled. The channel is bounded like the mailbox.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pykka
import trio

from rustok_daemon.supervision.actor import Actor, ActorRef, Message, Request, receive
from rustok_daemon.telemetry.logs import configure
from rustok_daemon.testing import run_actor

from .figures import Row, at_least, row, times_peer
from .rounds import medians

TELLS = 100_000
ASKS = 20_000
CAPACITY = 1000


class Add(Message, frozen=True):
    number: int


class Sum(Request[int], frozen=True):
    number: int


class Nothing(msgspec.Struct, frozen=True):
    """No settings."""


class Adder(Actor[Nothing]):
    """Adds up what it is told."""

    Settings = Nothing

    async def setup(self) -> None:
        self.sum = 0

    @receive
    def on_add(self, message: Add) -> None:
        self.sum += message.number

    @receive
    def on_sum(self, message: Sum) -> int:
        self.sum += message.number
        return self.sum


class PykkaAdder(pykka.ThreadingActor):
    """The same as a pykka actor."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = 0

    def on_receive(self, message: Any) -> int:
        self.sum += message.number
        return self.sum


def run() -> list[Row]:
    """Two rows for tell, two for ask: a peer each."""
    configure("warning", "console")
    tells = medians({"ours": _tell_ours, "channel": _tell_channel, "pykka": _tell_pykka})
    asks = medians({"ours": _ask_ours, "channel": _ask_channel, "pykka": _ask_pykka})
    return [
        row("tell", "messages/s", tells["ours"], "trio channel", tells["channel"], at_least(1e6), times_peer(6)),
        row("tell", "messages/s", tells["ours"], "pykka", tells["pykka"]),
        row("ask", "requests/s", asks["ours"], "two trio channels", asks["channel"], at_least(60_000)),
        row("ask", "requests/s", asks["ours"], "pykka", asks["pykka"]),
    ]


def _tell_ours() -> float:
    return trio.run(_with_actor, _tell_all)


def _ask_ours() -> float:
    return trio.run(_with_actor, _ask_all)


async def _with_actor(use: Callable[[ActorRef, Adder], Awaitable[float]]) -> float:
    adder = Adder(Nothing())
    async with run_actor(adder) as running:
        return await use(running.ref, adder)


async def _tell_all(ref: ActorRef, adder: Adder) -> float:
    message = Add(1)
    began = time.perf_counter()
    for _ in range(TELLS):
        await ref.tell(message)
    while adder.sum < TELLS:
        await trio.lowlevel.checkpoint()
    return TELLS / (time.perf_counter() - began)


async def _ask_all(ref: ActorRef, _adder: Adder) -> float:
    request = Sum(1)
    began = time.perf_counter()
    for _ in range(ASKS):
        answer = await ref.ask(request, within=5)
    assert answer == ASKS
    return ASKS / (time.perf_counter() - began)


def _tell_channel() -> float:
    return trio.run(_tell_through_channel)


async def _tell_through_channel() -> float:
    message = Add(1)
    sum = 0

    async def add_up(receiver: trio.MemoryReceiveChannel[Add]) -> None:
        nonlocal sum
        async for received in receiver:
            sum += received.number

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        sender, receiver = trio.open_memory_channel[Add](CAPACITY)
        nursery.start_soon(add_up, receiver)
        async with sender:
            for _ in range(TELLS):
                await sender.send(message)
    assert sum == TELLS
    return TELLS / (time.perf_counter() - began)


def _ask_channel() -> float:
    return trio.run(_ask_through_channels)


async def _ask_through_channels() -> float:
    """One channel there and one back, both kept: the cheapest request and reply that channels can give."""
    request = Sum(1)

    async def answer_all(receiver: trio.MemoryReceiveChannel[Sum], replies: trio.MemorySendChannel[int]) -> None:
        sum = 0
        async for received in receiver:
            sum += received.number
            await replies.send(sum)

    async with trio.open_nursery() as nursery:
        sender, receiver = trio.open_memory_channel[Sum](CAPACITY)
        replies, answers = trio.open_memory_channel[int](CAPACITY)
        nursery.start_soon(answer_all, receiver, replies)
        began = time.perf_counter()
        async with sender:
            for _ in range(ASKS):
                await sender.send(request)
                answer = await answers.receive()
        assert answer == ASKS
        return ASKS / (time.perf_counter() - began)


def _tell_pykka() -> float:
    ref = PykkaAdder.start()
    try:
        message = Add(1)
        began = time.perf_counter()
        for _ in range(TELLS):
            ref.tell(message)
        assert ref.ask(Sum(0), timeout=60) == TELLS
        return TELLS / (time.perf_counter() - began)
    finally:
        ref.stop()


def _ask_pykka() -> float:
    ref = PykkaAdder.start()
    try:
        request = Sum(1)
        began = time.perf_counter()
        for _ in range(ASKS // 4):
            answer = ref.ask(request, timeout=5)
        assert answer == ASKS // 4
        return (ASKS // 4) / (time.perf_counter() - began)
    finally:
        ref.stop()
