"""Deadlines without a timer each: the time of the last sweep, and what is due at the next one."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from email.utils import formatdate
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from .limits import Limits
    from .wire import Wire

NEVER = math.inf


class Clock:
    """Holds the deadlines of whatever begins now, so that beginning something costs one attribute.

    A cancel scope a read costs more than the read; ten thousand comparisons twice a second cost a thousandth of
    a core. Every deadline is counted from the last sweep and lengthened by one interval: late by up to two, never early.
    """

    __slots__ = ("_limits", "body", "close", "date", "head", "idle", "now", "write")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.tick()

    def tick(self) -> None:
        limits = self._limits
        self.now = trio.current_time()
        begun = self.now + limits.resolution
        self.idle = begun + limits.keep_alive
        self.head = begun + limits.header_timeout
        self.body = begun + limits.body_timeout
        self.write = begun + limits.write_timeout
        self.close = begun + limits.close_timeout
        self.date = b"date: %b\r\n" % formatdate(time.time(), usegmt=True).encode("ascii")

    async def sweep(self, wires: Collection[Wire]) -> None:
        """Expires what is due, for ever."""
        while True:
            await trio.sleep(self._limits.resolution)
            self.tick()
            now = self.now
            for wire in wires:
                if wire.read_deadline <= now or wire.write_deadline <= now:
                    wire.expire()
