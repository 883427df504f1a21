"""A whole daemon as a user runs it, in a process and a directory of its own."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

PROGRAM = (sys.executable, "-m", "rustok_daemon")
TREE = Path(__file__).parent.parent / "supervisor.toml"
READY_WITHIN = 60.0
STOPPED_WITHIN = 40.0


class Daemon:
    """One that runs. ``ready_after`` is in seconds, from its start until it said READY to its service manager."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self.directory = directory
        self.port = free_port()
        given = {
            "daemon.data_dir": str(directory / "var"),
            "http.bind": f"127.0.0.1:{self.port}",
            "http.socket": str(directory / "d.sock"),
            "telemetry.log.level": "warning",
            **settings,
        }
        options = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
        began = time.perf_counter()
        with (directory / "daemon.log").open("ab") as log, _notifications(directory) as notifications:
            self._process = subprocess.Popen(
                [*PROGRAM, "run", "--config", str(TREE), *options],
                env={**_clean_environment(), "NOTIFY_SOCKET": str(directory / "notify")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            self._wait_until_ready(notifications)
        self.ready_after = time.perf_counter() - began

    def _wait_until_ready(self, notifications: socket.socket) -> None:
        deadline = time.monotonic() + READY_WITHIN
        notifications.settimeout(0.2)
        while time.monotonic() < deadline:
            try:
                if b"READY=1" in notifications.recv(1 << 16):
                    return
            except TimeoutError:
                if self._process.poll() is not None:
                    break
        self.stop()
        raise RuntimeError(f"the daemon did not get ready: {self._log()}")

    def _log(self) -> str:
        return (self.directory / "daemon.log").read_text(errors="replace")[-2000:]

    def service_token(self, *scopes: str) -> str:
        """A new one, made with the admin's, as an operator would for an application server."""
        admin = (self.directory / "var" / "token").read_text().strip()
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/v1/tokens",
            headers={"Authorization": f"Bearer {admin}"},
            json={"name": "bench", "scopes": scopes},
        )
        answer.raise_for_status()
        return str(answer.json()["token"])

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """As systemd would; what does not end in time is killed."""
        self._process.terminate()
        try:
            self._process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def daemon(directory: Path, **settings: str) -> Iterator[Daemon]:
    """Ready at the beginning of the block, stopped at its end. ``database__url="…"`` sets ``database.url``."""
    directory.mkdir(exist_ok=True)
    running = Daemon(directory, {key.replace("__", "."): value for key, value in settings.items()})
    try:
        yield running
    finally:
        running.stop()


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def resident(pid: int) -> float:
    """MB (10^6 bytes) of this one process that are in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@contextmanager
def _notifications(directory: Path) -> Iterator[socket.socket]:
    path = directory / "notify"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        yield sock


def _clean_environment() -> dict[str, str]:
    """Without what would configure a daemon."""
    ours = ("RUSTOK_", "REDIS_URL", "LOCO_ENV", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
