"""Real PostgreSQL servers in processes of their own: started, stopped, frozen and restarted by the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import quote

from rustok_daemon.postgres import binaries, launcher


@cache
def template() -> Path:
    """One cluster made by initdb; every server of this process starts on a copy."""
    directory = Path(tempfile.mkdtemp(prefix="pgt-", dir="/tmp")) / "data"
    as_whom = launcher.choose(directory.parent)
    as_whom.own(directory.parent)
    words = [
        binaries.program("initdb"),
        "-D",
        str(directory),
        "-U",
        "tester",
        "--auth=trust",
        "--no-sync",
        "--no-locale",
    ]
    words += ["--encoding=UTF8"]
    subprocess.run(as_whom.command(words), check=True, capture_output=True, user=as_whom.user, group=as_whom.group)
    return directory


class PostgresProcess:
    """One server on a private unix socket."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cluster = directory / "data"
        self._as_whom = launcher.choose(directory)
        shutil.copytree(template(), self.cluster, symlinks=True)
        self.cluster.chmod(0o700)
        for path in (directory, self.cluster, *self.cluster.rglob("*")):
            self._as_whom.own(path)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://tester@/{database}?host={quote(str(self.directory), safe='')}"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[PostgresProcess]:
        directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        server = cls(directory)
        try:
            server.start()
            yield server
        finally:
            server.kill()
            shutil.rmtree(directory, ignore_errors=True)

    def start(self) -> None:
        words = [binaries.program("postgres"), "-D", str(self.cluster), "-k", str(self.directory)]
        words += ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60", "-c", "shared_buffers=32MB"]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._as_whom.command(words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._as_whom.user,
                group=self._as_whom.group,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        pid_file = self.cluster / "postmaster.pid"
        while True:
            try:
                lines = pid_file.read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) > 7 and lines[7].strip() == "ready" and int(lines[0]) == self._pid:
                return
            assert self.process is not None
            assert self.process.poll() is None, (self.directory / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the server did not get ready"
            time.sleep(0.01)  # a poll of another process: there is nothing to wait on

    @property
    def _pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def stop(self) -> None:
        """As an operator would: fast shutdown, clients are sent away."""
        self.signal(signal.SIGINT)
        assert self.process is not None
        self.process.wait(30)

    def kill(self) -> None:
        """The whole session, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self._pid, signal.SIGKILL)
            for pid in self._members():
                os.kill(pid, signal.SIGKILL)
            self.process.wait(30)

    def freeze(self) -> None:
        for pid in (self._pid, *self._members()):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in (self._pid, *self._members()):
            os.kill(pid, signal.SIGCONT)

    def signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def _members(self) -> list[int]:
        """Backends lead sessions of their own, so the group does not reach them."""
        found = subprocess.run(["pgrep", "-P", str(self._pid)], capture_output=True, text=True, check=False)
        return [int(word) for word in found.stdout.split()]

    def psql(self, sql: str, database: str = "postgres") -> str:
        """Runs the real psql, a process of its own."""
        ended = subprocess.run(
            [binaries.program("psql"), "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", self.url_of(database), "-c", sql],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    def create_database(self, name: str) -> str:
        self.psql(f'create database "{name}"')
        return self.url_of(name)
