"""A server that outlived its daemon: found through its pid file, made sure of, and stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import trio

_TRIES = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


async def stop_orphan(cluster: Path) -> int | None:
    """Stops the server that a killed daemon left on ``cluster``; its pid, or ``None`` when there is none."""
    pid = _pid_of(cluster)
    if pid is None or not _serves(pid, cluster):
        return None
    for number, seconds in _TRIES:
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
        with trio.move_on_after(seconds):
            while _serves(pid, cluster):  # noqa: ASYNC110  (not our child: there is nothing to wait on)
                await trio.sleep(0.01)
            return pid
    return pid


def _pid_of(cluster: Path) -> int | None:
    try:
        return int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _serves(pid: int, cluster: Path) -> bool:
    """Whether the process is a server on this directory: numbers are used again, and a server works in its cluster."""
    try:
        program = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
        directory = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return False
    return program.endswith(b"postgres") and directory == cluster.resolve()
