"""A whole daemon as a user runs it: ``rustok-daemon run`` in a process of its own, watched as systemd would."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

PROGRAM = (sys.executable, "-m", "rustok_daemon")
TREE = Path(__file__).parent.parent / "supervisor.toml"
DEMO = {"slug": "demo", "host": "demo.localhost"}


def free_port() -> int:
    """A port nobody listens on; taken again at once, so a clash is as good as impossible."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


class Daemon:
    """One running daemon and what a test does to it."""

    def __init__(self, directory: Path, settings: Mapping[str, str], environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.port = free_port()
        self.socket = directory / "d.sock"
        self.data_dir = directory / "var"
        self.log = directory / "daemon.log"
        self._settings = {
            "http.bind": f"127.0.0.1:{self.port}",
            "http.socket": str(self.socket),
            "daemon.data_dir": str(self.data_dir),
            **settings,
        }
        self._environment = {**clean_environment(), **environment}
        self._config = TREE
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(directory / "notify"))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def arguments(self) -> list[str]:
        return [part for key, value in self._settings.items() for part in ("--set", f"{key}={value}")]

    @property
    def token(self) -> str:
        return (self.data_dir / "token").read_text().strip()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def configure(self, config: Path, **environment: str) -> None:
        """Another file than the checked-in one."""
        self._config = config
        self._environment.update(environment)

    def set(self, **settings: str) -> None:
        """Settings for the next start and the next command."""
        self._settings.update({key.replace("__", "."): value for key, value in settings.items()})

    def start(self, *, within: float = 30, wait: bool = True) -> None:
        command = [*PROGRAM, "run", "--config", str(self._config), *self.arguments]
        environment = {**self._environment, "NOTIFY_SOCKET": str(self.directory / "notify")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory
            )
        if wait:
            self.wait_for_notification("READY=1", within)

    def wait_for_notification(self, text: str, within: float) -> str:
        deadline = time.monotonic() + within
        while True:
            self._notify.settimeout(0.2)
            try:
                datagram = self._notify.recv(65536).decode()
                if text in datagram:
                    return datagram
            except TimeoutError:
                assert self.process is not None
                assert self.process.poll() is None, f"daemon ended with {self.process.returncode}:\n{self.text()}"
            assert time.monotonic() < deadline, f"no {text} within {within} s:\n{self.text()}"

    def text(self) -> str:
        return self.log.read_text(errors="replace")[-8000:]

    def cli(self, *words: str, check: bool = False, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Runs a command as an operator would, against this daemon."""
        return subprocess.run(
            [*PROGRAM, *words, "--config", str(self._config), *self.arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=check,
            timeout=timeout,
            cwd=self.directory,
        )

    def tree(self) -> dict[str, Any]:
        return dict(json.loads(self.cli("status", "--json").stdout))

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, within: float = 40) -> int:
        assert self.process is not None
        return self.process.wait(within)

    def stop(self, within: float = 40) -> int:
        self.signal(signal.SIGTERM)
        return self.wait(within)

    def close(self) -> None:
        """Ends what still runs, the daemon and what it started, without asking."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in orphans(self.data_dir):
            os.kill(pid, signal.SIGKILL)
        self._notify.close()


def clean_environment() -> dict[str, str]:
    """The environment without what would configure a daemon, or a coverage of this very process."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RUSTOK_", "REDIS_URL", "LOCO_ENV", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_"))
    }


def orphans(data_dir: Path) -> Sequence[int]:
    """Processes whose command line names a path below the data directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(os.fsencode(data_dir) in word for word in words):
            found.append(int(entry.name))
    return found


@contextmanager
def daemon(settings: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """A daemon that is not started yet, in a directory of its own with a short path."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="rd-", ignore_cleanup_errors=True) as directory:
        made = Daemon(Path(directory), settings or {}, environment or {})
        try:
            yield made
        finally:
            made.close()


def client(made: Daemon, **options: Any) -> httpx.AsyncClient:
    """A client on the daemon's TCP socket, with the admin token."""
    options.setdefault("timeout", 15)
    return httpx.AsyncClient(base_url=made.url, headers=made.headers, **options)
