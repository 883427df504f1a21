"""One life of a child: the scope that ends it, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import trio

from .actor import Runnable
from .context import LiveContext, asked_to_end
from .errors import FatalExit, Ignore, LeakedCancelled, Shutdown, SupervisionError, unwrap


class Incarnation:
    """A task in the root nursery under a cancel scope of its own.

    Whether it was stopped or failed is read off the scope, never off the exception: a ``Cancelled`` that comes from
    somewhere else is a failure like any other.
    """

    __slots__ = ("context", "end_by", "ended", "error", "ready", "reported", "scope", "settled", "started_at")

    def __init__(self, context: LiveContext) -> None:
        self.context = context
        self.scope = trio.CancelScope()
        self.settled = trio.Event()
        """Ready, failing or ended, whichever comes first."""
        self.ended = trio.Event()
        self.ready = False
        self.error: BaseException | None = None
        self.reported = False
        self.end_by = math.inf
        """When it is abandoned; set once it was asked to end, or fails."""
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

    def fails(self, error: BaseException) -> None:
        """Something in it has failed; it may still need time to end."""
        if self.error is None:
            self.error = unwrap(error)
        self.settled.set()

    def bound(self, end_by: float) -> None:
        """Its end, teardown included, is due by then; an earlier bound stays."""
        self.end_by = min(self.end_by, end_by)
        self.context.teardown_scope.deadline = self.end_by
        self.context.ending = True

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
            await trio.lowlevel.checkpoint_if_cancelled()
            await make().run(self.context)
            if not self.ready and not asked_to_end():
                self.error = SupervisionError("it ended before it was ready")
        except trio.Cancelled:
            if asked_to_end():
                raise
            self.error = LeakedCancelled()
        except KeyboardInterrupt:
            raise
        except BaseExceptionGroup as group:
            self.error = _of(group)
        except BaseException as error:
            self.error = error


def _of(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """What a group means for the child: a fatal exit before all else, then failures, then nothing but being cancelled."""
    if group.subgroup(KeyboardInterrupt) is not None:
        raise group
    if (fatal := group.subgroup(FatalExit)) is not None:
        return next(_leaves(fatal))
    _, rest = group.split(trio.Cancelled)
    if rest is not None:
        return unwrap(rest)
    return None if asked_to_end() else LeakedCancelled()


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for each in error.exceptions:
        yield from _leaves(each)
