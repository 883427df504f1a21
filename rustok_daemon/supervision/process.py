"""An external process as a child: in a session of its own, probed until it is ready, never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import msgspec
import trio

from .actor import Actor
from .errors import ProcessEnded
from .specs import Kind

SettingsT = TypeVar("SettingsT", bound=msgspec.Struct)

_PROBE_EVERY = 0.02
_REMEMBERED_LINES = 20
_LONGEST_LINE = 4096
_TO_DIE = 0.09
"""Seconds in which a killed process is gone; less than what a child is given beyond its budget."""
_TO_DIE_IN_PEACE = 5.0
"""The same when there is time."""

_running: dict[int, signal.Signals] = {}
"""Process groups that live now, and the signal that makes each leave at once."""


class ProcessPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is run. ``user`` and ``group`` are ids to change to; ``env`` replaces the environment if given."""

    command: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    user: int | None = None
    group: int | None = None


class ProcessActor(Actor[SettingsT]):
    """Base of children that are programs. Override ``prepare`` and ``probe``.

    An end the supervisor did not ask for is a failure with the exit status and the last lines written.
    """

    kind: ClassVar[Kind] = Kind.PROCESS
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 4.0),)
    """Tried in order, each given its seconds; then SIGKILL."""
    leave_signal: ClassVar[signal.Signals] = signal.SIGTERM
    """Sent without waiting when the daemon leaves at once."""

    async def prepare(self) -> ProcessPlan:
        """Makes what the process needs, and says how to run it. Runs before each start."""
        raise NotImplementedError

    async def probe(self) -> bool:
        """Whether it serves; asked every 20 ms until it does."""
        return True

    async def setup(self) -> None:
        plan = await self.prepare()
        self._lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)
        self._process = await self._spawn(plan)
        _running[self._process.pid] = self.leave_signal
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_output)
            await self._until_ready()
            nursery.cancel_scope.cancel()

    async def background(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_output)
            status = await self._process.wait()
            nursery.cancel_scope.deadline = trio.current_time() + 0.2
        raise self._ended(status)

    async def teardown(self) -> None:
        process: trio.Process | None = getattr(self, "_process", None)
        if process is None:
            return
        try:
            await self._stop(process)
        finally:
            _running.pop(process.pid, None)

    async def _spawn(self, plan: ProcessPlan) -> trio.Process:
        options: dict[str, Any] = {"user": plan.user, "group": plan.group, "extra_groups": []}
        try:
            return await trio.lowlevel.open_process(
                list(plan.command),
                env=plan.env,
                cwd=plan.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **(options if plan.user is not None else {}),
            )
        except OSError as error:
            raise ProcessEnded(f"{plan.command[0]} cannot be run: {error.strerror}") from error

    async def _until_ready(self) -> None:
        while not await self.probe():
            if (status := self._process.poll()) is not None:
                await trio.sleep(_PROBE_EVERY)
                raise self._ended(status)
            await trio.sleep(_PROBE_EVERY)

    async def _read_output(self) -> None:
        """Its words go into our log, and the last of them into the error when it ends."""
        stream = self._process.stdout
        assert stream is not None
        rest = b""
        while chunk := await stream.receive_some(65536):
            *lines, rest = (rest + chunk)[-1_000_000:].split(b"\n")
            rest = rest[-_LONGEST_LINE:]
            for line in lines:
                self._heard(line)
        self._heard(rest)

    def _heard(self, line: bytes) -> None:
        text = line[:_LONGEST_LINE].decode(errors="replace").strip()
        if text:
            self._lines.append(text)
            self.context.log.debug("process says", line=text)

    def _ended(self, status: int) -> ProcessEnded:
        how = f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
        said = "; it said: " + " | ".join(self._lines) if self._lines else ""
        return ProcessEnded(f"{self.context.id} ended by itself ({how}){said}")

    async def _stop(self, process: trio.Process) -> None:
        try:
            patience = _share(self.stop_signals, trio.current_effective_deadline() - trio.current_time())
            for number, seconds in patience:
                if process.poll() is not None:
                    break
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
                with trio.move_on_after(seconds):
                    await process.wait()
        finally:
            await self._kill(process)

    async def _kill(self, process: trio.Process) -> None:
        """Ends what is left of its whole group, which it must not outlive; even when the teardown is cut off."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        left = trio.current_effective_deadline() - trio.current_time()
        with trio.move_on_after(max(_TO_DIE, min(left, _TO_DIE_IN_PEACE)), shield=True):
            await process.wait()
        if process.stdout is not None:
            await trio.aclose_forcefully(process.stdout)


def _share(stop_signals: Sequence[tuple[signal.Signals, float]], seconds: float) -> list[tuple[signal.Signals, float]]:
    """The patience with each signal, in proportion when less time is left than they want together."""
    wanted = sum(patience for _, patience in stop_signals)
    part = min(1.0, max(0.0, seconds - _TO_DIE) / wanted) if wanted else 1.0
    return [(number, patience * part) for number, patience in stop_signals]


def leave_all() -> None:
    """Tells every process that runs to leave, without waiting: for the daemon's own end at once."""
    for pid, number in list(_running.items()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
