"""Actors that the trees of these tests name; each says what happens to it in ``told``."""

from __future__ import annotations

import time
from typing import ClassVar, Self

import msgspec
import trio

from rustok_daemon.config import Configuration, ConfigurationError
from rustok_daemon.lifecycle.messages import Drain, Drained
from rustok_daemon.supervision.actor import Actor, Message, receive

told: list[tuple[str, str, str]] = []
"""Child, what happened, the word it lives by."""


class Fall(Message, frozen=True):
    """Makes an actor fail."""


class WordSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[stiff] and [supple]"""

    word: str = "first"


class Stiff(Actor[WordSettings]):
    """Cannot change while it runs."""

    section = "stiff"
    Settings = WordSettings

    async def setup(self) -> None:
        if self.settings.word == "unlucky":
            raise OSError("no such luck")
        told.append((self.context.id, "started", self.settings.word))

    async def teardown(self) -> None:
        told.append((self.context.id, "stopped", self.settings.word))

    @receive
    async def on_fall(self, message: Fall) -> None:
        raise RuntimeError("as asked")


class SuppleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[supple]"""

    word: str = "first"


class Supple(Stiff):
    """Can, unless it is told ``no``."""

    section = "supple"
    Settings = SuppleSettings

    def reconfigure(self, settings: WordSettings) -> bool:
        told.append((self.context.id, "asked", settings.word))
        return settings.word != "no"


class NoSettings(msgspec.Struct, frozen=True):
    """None."""


class Front(Actor[NoSettings]):
    """Has work in flight: finishes two and cuts ``cuts``."""

    Settings = NoSettings
    cuts: ClassVar[int] = 0

    async def setup(self) -> None:
        told.append((self.context.id, "started", ""))

    @receive(concurrent=1)
    async def on_drain(self, message: Drain) -> Drained:
        told.append((self.context.id, "drained", ""))
        return Drained(finished=2, cut=self.cuts)


class CuttingFront(Front):
    """Does not get everything done."""

    cuts = 1


class Unwanted(Front):
    """Is in the file and not in the tree."""

    @classmethod
    def enabled(cls, configuration: object) -> bool:
        return False


class SlowToStop(Actor[NoSettings]):
    """Takes its time at the end, and everybody else can go on meanwhile."""

    Settings = NoSettings

    async def teardown(self) -> None:
        await trio.sleep(20)


class BlocksTheLoop(Actor[NoSettings]):
    """Takes its time at the end, and everybody's."""

    Settings = NoSettings

    async def teardown(self) -> None:
        time.sleep(20)  # noqa: ASYNC251  what a blocking library would do


class Degraded(Actor[NoSettings]):
    """Runs, but cannot do all of its work."""

    Settings = NoSettings

    async def setup(self) -> None:
        self.context.degraded("the cat is away")


class Choosy(Stiff):
    """Finds out by itself that a configuration is not for it."""

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> Self:
        made = super().from_configuration(configuration)
        if made.settings.word == "wrong":
            raise ConfigurationError(["stiff.word: not this one"])
        return made
