"""The child of the tree that keeps the asyncio thread."""

from __future__ import annotations

import msgspec

from rustok_daemon.declarations import Health
from rustok_daemon.supervision.actor import Actor

from .errors import SideDied
from .side import Side


class AsyncioSideSettings(msgspec.Struct, frozen=True):
    """It has none."""


class AsyncioSide(Actor[AsyncioSideSettings]):
    """Starts the thread, lends it as ``Side``, joins it at the end. A thread that dies is a failure of this child."""

    Settings = AsyncioSideSettings

    async def setup(self) -> None:
        self.side = Side()
        self.context.publish(Side, self.side)

    async def background(self) -> None:
        await self.side.ended.wait()
        raise SideDied("the asyncio thread ended by itself")

    async def teardown(self) -> None:
        side: Side | None = getattr(self, "side", None)
        if side is not None:
            await side.stop()

    def health(self) -> Health:
        return Health(details={"in_flight": self.side.in_flight, "handed_over": self.side.handed_over})
