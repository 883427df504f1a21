"""A server of ours that outlived its daemon: found through its pid file, made sure of, and stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import trio


class ServerKind(msgspec.Struct, frozen=True, kw_only=True):
    """What such a server is called, and how it is told to stop: signals with the seconds each is given; then SIGKILL."""

    programs: tuple[str, ...]
    stop_signals: tuple[tuple[signal.Signals, float], ...]


async def stop_orphan(kind: ServerKind, pid_file: Path, works_in: Path) -> int | None:
    """Stops the server that a killed daemon left, working in ``works_in``; its pid, or ``None`` when there is none.

    The pid file's first line names it.
    """
    pid = _pid_in(pid_file)
    if pid is None or not _serves(pid, kind.programs, works_in):
        return None
    for number, seconds in (*kind.stop_signals, (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)
        with trio.move_on_after(seconds):
            while _serves(pid, kind.programs, works_in):  # noqa: ASYNC110  not our child: there is nothing to wait on
                await trio.sleep(0.01)
            break
    return pid


def _pid_in(file: Path) -> int | None:
    try:
        return int(file.read_text().partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return None


def _serves(pid: int, programs: Sequence[str], directory: Path) -> bool:
    """Whether it is that server: numbers are used again, and a server works in its own directory.

    The first argument may be a path, or a title that goes on (``redis-server unixsocket:…``).
    """
    try:
        first = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
        found = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return False
    return found == directory.resolve() and any(
        os.path.basename(word) in programs for word in os.fsdecode(first).split()
    )
