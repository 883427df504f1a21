"""What the drain asks of actors that have work in flight."""

from __future__ import annotations

import msgspec

from rustok_daemon.supervision.actor import Request


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """How a drain went: what was finished, and what had to be cut at the deadline."""

    finished: int = 0
    cut: int = 0


class Drain(Request[Drained], frozen=True):
    """Take nothing new and finish what is in flight within ``within`` seconds."""

    within: float
