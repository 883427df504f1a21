"""The one asyncio thread: where libraries that only speak asyncio run, called from trio.

``Side`` is the hand-over, ``AsyncioSide`` the child of the tree that keeps the thread. What this room promises: a call
ends when its coroutine ends, when it is cancelled (at most a second later), or when the thread dies.
"""

from .actor import AsyncioSide
from .errors import SideDied
from .side import Side, open_side
from .stream import SideStream, StreamOverflowed

__all__ = ["AsyncioSide", "Side", "SideDied", "SideStream", "StreamOverflowed", "open_side"]
