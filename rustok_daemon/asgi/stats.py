"""What the server counts, for whoever exports it."""

from __future__ import annotations

from collections import Counter


class Stats:
    """Totals since the server started. Written by the server alone."""

    __slots__ = ("accepted", "cut", "refused", "requests", "websockets")

    def __init__(self) -> None:
        self.accepted = 0
        """Connections, those answered with 503 for want of room included."""
        self.requests = 0
        """Requests handed to the application."""
        self.websockets = 0
        """WebSockets handed to the application."""
        self.refused: Counter[int] = Counter()
        """Answers the server gave by itself, by status."""
        self.cut = 0
        """Connections broken off before their response was whole: client too slow, application failed, drain over."""
