"""One life of a child: the scope that ends it, and how it ended."""

from __future__ import annotations

from collections.abc import Callable

import trio

from .actor import Runnable
from .context import LiveContext
from .errors import Ignore, Shutdown, SupervisionError, unwrap


class Incarnation:
    """A task in the root nursery under a cancel scope of its own.

    Whether it was stopped or failed is read off the scope, never off the exception: a ``Cancelled`` that comes from
    somewhere else is a failure like any other.
    """

    __slots__ = ("context", "ended", "error", "ready", "scope", "settled", "started_at")

    def __init__(self, context: LiveContext) -> None:
        self.context = context
        self.scope = trio.CancelScope()
        self.settled = trio.Event()
        """Ready or ended, whichever comes first."""
        self.ended = trio.Event()
        self.ready = False
        self.error: BaseException | None = None
        self.started_at = trio.current_time()

    @property
    def ignored(self) -> bool:
        return not self.ready and isinstance(self.error, Ignore)

    @property
    def ended_well(self) -> bool:
        """By returning, or by OTP's ``shutdown``: what a transient child is not restarted for."""
        return self.error is None or isinstance(self.error, Shutdown)

    def mark_ready(self) -> None:
        self.ready = True
        self.settled.set()

    async def live(self, make: Callable[[], Runnable], on_end: Callable[[], None]) -> None:
        """Runs until the end and tells; lets nothing out but what cancels the whole tree."""
        try:
            with self.scope:
                await self._run(make)
        finally:
            self.context.close()
            self.ended.set()
            self.settled.set()
            on_end()

    async def _run(self, make: Callable[[], Runnable]) -> None:
        try:
            await make().run(self.context)
        except trio.Cancelled:
            if self.scope.cancel_called or trio.current_effective_deadline() == -float("inf"):
                raise
            self.error = SupervisionError("a Cancelled that nobody asked for left the child")
        except KeyboardInterrupt:
            raise
        except BaseExceptionGroup as group:
            self.error = _without_cancelled(group)
        except BaseException as error:
            self.error = error


def _without_cancelled(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    _, rest = group.split(trio.Cancelled)
    return None if rest is None else unwrap(rest)
