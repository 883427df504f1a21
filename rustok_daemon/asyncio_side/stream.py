"""A bounded stream from the asyncio thread into trio: notifications, subscriptions."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import trio

from .side import Side

ItemT = TypeVar("ItemT")


class StreamOverflowed(Exception):
    """More came than the stream may hold: something is lost, and the reader must know."""


class SideStream(Generic[ItemT]):
    """Items put in there arrive here in order; ``end`` ends it with an error after what was put in before."""

    def __init__(self, side: Side, capacity: int) -> None:
        self._side = side
        self._capacity = capacity
        self._items: deque[ItemT] = deque()
        self._arrived = trio.Event()
        self._error: BaseException | None = None

    def put(self, item: ItemT) -> None:
        """From the asyncio thread; never blocks it."""
        self._side.to_trio(self._take_in, item)

    def end(self, error: BaseException) -> None:
        """From the asyncio thread: nothing more will come."""
        self._side.to_trio(self.close, error)

    def close(self, error: BaseException) -> None:
        """As ``end``, from trio."""
        if self._error is None:
            self._error = error
        self._arrived.set()

    async def get(self) -> ItemT:
        """The next item. Raises what ended the stream, or ``StreamOverflowed``. No checkpoint when one is there."""
        while not self._items:
            if self._error is not None:
                raise self._error
            self._arrived = trio.Event()
            await self._arrived.wait()
        return self._items.popleft()

    def _take_in(self, item: ItemT) -> None:
        if self._error is not None:
            return
        if len(self._items) >= self._capacity:
            self.close(StreamOverflowed(f"more than {self._capacity} items wait"))
            return
        self._items.append(item)
        self._arrived.set()
