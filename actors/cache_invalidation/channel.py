"""One channel's state: the figures that status, health and metrics are made of."""

from __future__ import annotations

import enum
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import trio


class Status(enum.IntEnum):
    """The values of ``rustok_invalidation_listener_status``."""

    OFF = 0
    STARTING = 1
    HEALTHY = 2
    DEGRADED = 3


class Channel:
    """Counters live as long as the process; the status is that of the running incarnation."""

    __slots__ = ("gaps", "last_message_at", "messages", "name", "position", "reason", "rejected", "started", "status")

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = Status.OFF
        self.reason: str | None = None
        self.messages = 0
        self.rejected = 0
        self.gaps = 0
        self.position: int | None = None
        """The last number that was applied, on a channel that counts: RusToK's generation."""
        self.last_message_at: float | None = None
        self.started = trio.Event()
        """Set once it is known whether the channel is heard."""

    def starting(self) -> None:
        self.status, self.reason = Status.STARTING, None
        self.started = trio.Event()

    def off(self, reason: str) -> None:
        self._enter(Status.OFF, reason)

    def healthy(self) -> None:
        self._enter(Status.HEALTHY, None)

    def degraded(self, reason: str) -> None:
        self._enter(Status.DEGRADED, reason)

    def _enter(self, status: Status, reason: str | None) -> None:
        self.status, self.reason = status, reason
        self.started.set()

    def heard(self) -> None:
        """Counts a message as it is read, whatever it turns out to be."""
        self.messages += 1
        self.last_message_at = time.time()

    def details(self) -> Mapping[str, Any]:
        """The channel's position as health shows it."""
        heard_at = self.last_message_at
        return {
            "status": self.status.name.lower(),
            "reason": self.reason,
            "messages": self.messages,
            "rejected": self.rejected,
            "gaps": self.gaps,
            "position": self.position,
            "last_message_at": None if heard_at is None else datetime.fromtimestamp(heard_at, UTC).isoformat(),
        }
