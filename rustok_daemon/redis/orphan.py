"""A server that outlived its daemon: found through its pid file, made sure of, and stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import trio

_TRIES = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
_SERVERS = (b"redis-server", b"valkey-server")


async def stop_orphan(pid_file: Path, data: Path) -> int | None:
    """Stops the server that a killed daemon left on ``data``; its pid, or ``None`` when there is none."""
    pid = _pid_of(pid_file)
    if pid is None or not _serves(pid, data):
        return None
    for number, seconds in _TRIES:
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
        with trio.move_on_after(seconds):
            while _serves(pid, data):  # noqa: ASYNC110  not our child: there is nothing to wait on
                await trio.sleep(0.01)
            return pid
    return pid


def _pid_of(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a server on this directory: numbers are used again, and a server changes into its data."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        directory = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return False
    return any(name in command for name in _SERVERS) and directory == data.resolve()
