"""A call from outside on its way through a supervisor's inbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import outcome
import trio

ResultT = TypeVar("ResultT")


class Call(Generic[ResultT]):
    """Runs in the supervisor's loop; whatever it raises is the caller's, never the supervisor's."""

    __slots__ = ("_function", "done", "result", "wanted")

    def __init__(self, function: Callable[[], Awaitable[ResultT]]) -> None:
        self._function = function
        self.done = trio.Event()
        self.wanted = True
        """Somebody waits for it; one that nobody waits for is not begun."""
        self.result: outcome.Outcome[ResultT] | None = None

    async def run(self) -> None:
        try:
            if self.wanted:
                self.result = outcome.Value(await self._function())
        except Exception as error:
            self.result = outcome.Error(error)
        finally:
            self.done.set()
