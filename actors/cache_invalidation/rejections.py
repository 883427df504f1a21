"""Refused messages: all are counted, few are logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .channel import Channel
from .errors import MalformedMessage

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_LOGGED_AT_FIRST = 10
_THEN_EVERY = 300.0


class Rejections:
    """Whoever may write into a channel may write garbage without end: the log must not follow."""

    def __init__(self, channel: Channel, log: FilteringBoundLogger) -> None:
        self._channel = channel
        self._log = log
        self._logged = 0
        self._last = 0.0

    def add(self, subject: str, error: MalformedMessage) -> None:
        self._channel.rejected += 1
        now = trio.current_time()
        if self._logged < _LOGGED_AT_FIRST or now - self._last >= _THEN_EVERY:
            self._logged += 1
            self._last = now
            self._log.warning("a message was refused", subject=subject, reason=str(error), total=self._channel.rejected)
