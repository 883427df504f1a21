"""Actors that the configurations of these tests name."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec

from rustok_daemon.config.types import Duration, Secret
from rustok_daemon.supervision.actor import Actor


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[greeter.limit]"""

    most: int = 3


class GreeterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[greeter]"""

    word: str = "Hello"
    patience: Duration = Duration(2)
    key: Secret = Secret("")
    whom: UUID = UUID(int=1)
    limit: LimitSettings = LimitSettings()

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        if environment == "production" and not self.key:
            yield "key", "is needed in production"
        if self.limit.most > 9:
            yield "limit.most", "must be at most 9"


class Greeter(Actor[GreeterSettings]):
    """A third party's actor with a section of its own."""

    section = "greeter"
    Settings = GreeterSettings


class Bare(Actor[LimitSettings]):
    """One without a section."""

    Settings = LimitSettings


class Squatter(Actor[LimitSettings]):
    """Declares a section that is taken."""

    section = "greeter"
    Settings = LimitSettings


NOT_AN_ACTOR = 3
