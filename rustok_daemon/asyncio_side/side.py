"""The hand-over between trio and one asyncio thread.

Calls and completions cross in batches, one wake-up for each turn of a loop: a wake-up costs a system call and a change
of threads, a call in a batch only an append (docs/decisions.md has the rates).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, TypeVar

import outcome
import trio
import uvloop

from .errors import SideDied

ResultT = TypeVar("ResultT")

CANCEL_WITHIN = 1.0
"""Seconds a cancelled call is waited for; what it held is then for its caller to cut."""


class _Call(Generic[ResultT]):
    """One coroutine on its way there and back."""

    __slots__ = ("_waiting", "function", "result", "task")

    def __init__(self, function: Callable[[], Awaitable[ResultT]]) -> None:
        self.function = function
        self.task: asyncio.Task[None] | None = None
        self.result: outcome.Outcome[ResultT] | None = None
        self._waiting: trio.lowlevel.Task | None = None

    async def wait(self) -> None:
        """Until ``settle``, in trio."""
        if self.result is None:
            self._waiting = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._waiting = None
        return trio.lowlevel.Abort.SUCCEEDED

    def settle(self) -> None:
        """``result`` is there: wakes who waits, in trio."""
        if self._waiting is not None:
            task, self._waiting = self._waiting, None
            trio.lowlevel.reschedule(task)

    async def run(self) -> None:
        """In the asyncio thread."""
        try:
            self.result = outcome.Value(await self.function())
        except asyncio.CancelledError as error:
            self.result = outcome.Error(_cancelled(error))
        except BaseException as error:
            self.result = outcome.Error(error)


def _cancelled(cause: BaseException | None = None) -> SideDied:
    """In trio nobody knows asyncio's own exception for it. Whoever cancelled in trio does not look at the result."""
    error = SideDied("the call was cancelled in the asyncio thread")
    error.__cause__ = cause
    return error


class Side:
    """Runs coroutine functions in the asyncio thread. Made by ``open_side``; used from one trio run only."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._loop = uvloop.new_event_loop()
        self._calls: deque[_Call[Any]] = deque()
        self._calls_wake = False
        self._done: deque[_Call[Any]] = deque()
        self._done_wake = False
        self._open: set[_Call[Any]] = set()
        self._died: BaseException | None = None
        self._closing = False
        """Set in the thread: nothing new is begun any more, and what is cancelled is cancelled because of that."""
        self.ended = trio.Event()
        self.handed_over = 0
        self._thread = threading.Thread(target=self._main, name="asyncio-side", daemon=True)
        self._thread.start()

    @property
    def in_flight(self) -> int:
        return len(self._open)

    async def run(self, function: Callable[..., Awaitable[ResultT]], *args: object) -> ResultT:
        """Awaits ``function(*args)`` in the asyncio thread and hands back what it returns or raises.

        A trio cancel cancels the coroutine and waits at most a second for it. Raises ``SideDied``.
        """
        call: _Call[ResultT] = _Call(lambda: function(*args))
        self._submit(call)
        try:
            await call.wait()
        except trio.Cancelled:
            await self._cancel(call)
            raise
        finally:
            self._open.discard(call)
        assert call.result is not None
        return call.result.unwrap()

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Runs a plain function there, some time soon, and forgets it. Nothing happens once the thread is gone."""
        with suppress(RuntimeError):  # between the loop's close and the word of it that makes ``ended``
            self._loop.call_soon_threadsafe(function, *args)

    def to_trio(self, function: Callable[..., object], *args: object) -> None:
        """From the asyncio thread: runs a plain function in trio. Nothing happens once trio is gone."""
        try:
            self._token.run_sync_soon(function, *args)
        except trio.RunFinishedError:
            return

    def _submit(self, call: _Call[Any]) -> None:
        if self.ended.is_set():
            raise SideDied("the asyncio thread is gone") from self._died
        self._open.add(call)
        self.handed_over += 1
        self._calls.append(call)
        if not self._calls_wake:
            self._calls_wake = True
            self.call_soon(self._start_calls)

    async def _cancel(self, call: _Call[Any]) -> None:
        self.call_soon(self._cancel_there, call)
        with trio.CancelScope(shield=True, deadline=trio.current_time() + CANCEL_WITHIN):
            await call.wait()

    @staticmethod
    def _cancel_there(call: _Call[Any]) -> None:
        if call.task is not None:
            call.task.cancel()

    # -- in the asyncio thread -----------------------------------------------------------------------------------

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        except BaseException as error:
            self._died = error
        finally:
            self._closing = True
            self._close_loop()
            self.to_trio(self._end)

    def _close_loop(self) -> None:
        try:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left and self._died is None:
                self._loop.run_until_complete(asyncio.wait(left, timeout=CANCEL_WITHIN))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        except BaseException as error:
            self._died = self._died or error
        finally:
            self._loop.close()

    def _start_calls(self) -> None:
        self._calls_wake = False
        while self._calls and not self._closing:
            call = self._calls.popleft()
            call.task = self._loop.create_task(call.run())
            call.task.add_done_callback(lambda _task, call=call: self._finish(call))  # type: ignore[misc]

    def _finish(self, call: _Call[Any]) -> None:
        if call.task is not None and call.task.cancelled():  # before its first step
            call.result = outcome.Error(_cancelled())
        self._done.append(call)
        if not self._done_wake:
            self._done_wake = True
            self._loop.call_soon(self._send_done)

    def _send_done(self) -> None:
        self._done_wake = False
        self.to_trio(self._settle_done)

    # -- in trio -------------------------------------------------------------------------------------------------

    def _settle_done(self) -> None:
        while self._done:
            self._done.popleft().settle()

    def _end(self) -> None:
        """The thread is gone: all that is open fails now."""
        self.ended.set()
        self._settle_done()
        for call in list(self._open):
            if call.result is None:
                error = SideDied("the asyncio thread is gone")
                error.__cause__ = self._died
                call.result = outcome.Error(error)
            call.settle()

    async def stop(self) -> None:
        """Ends the thread and joins it: one that lives on at the interpreter's exit crashes it."""
        if not self.ended.is_set():
            self.call_soon(self._loop.stop)
            await self.ended.wait()
        await trio.to_thread.run_sync(self._thread.join)


@asynccontextmanager
async def open_side() -> AsyncIterator[Side]:
    """A side thread for the length of the block."""
    side = Side()
    try:
        yield side
    finally:
        with trio.CancelScope(shield=True):
            await side.stop()
