"""systemd's side of a service: ``sd_notify(3)`` without libsystemd.

One call is one datagram; fields that belong together travel together. The socket never blocks: a manager that does
not read would stop the daemon after eleven datagrams, and a lost STATUS is tolerable. Outside systemd all of it is
silent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import msgspec


class Notifier:
    """Sends state to the service manager."""

    def __init__(self, address: str | None) -> None:
        self._address = _abstract(address)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Notifier:
        """Takes ``NOTIFY_SOCKET``; other address kinds than unix sockets (vsock) are left alone."""
        address = (environment if environment is not None else os.environ).get("NOTIFY_SOCKET", "")
        return cls(address if address.startswith(("/", "@")) else None)

    @property
    def connected(self) -> bool:
        return self._address is not None

    def send(self, **fields: str | int) -> bool:
        """Sends ``NAME=value`` lines in one datagram. ``True`` means queued, not read."""
        if self._address is None:
            return False
        text = "\n".join(f"{name}={_one_line(value)}" for name, value in fields.items())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
            try:
                sock.connect(self._address)
                sock.send(text.encode("utf-8"))
            except OSError:
                return False
        return True

    def ready(self, status: str) -> bool:
        return self.send(READY=1, STATUS=status)

    def status(self, status: str) -> bool:
        return self.send(STATUS=status)

    def reloading(self, status: str) -> bool:
        """``ready`` must follow. The timestamp travels along, or a reload that systemd asked for never ends."""
        return self.send(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000, STATUS=status)

    def stopping(self, status: str) -> bool:
        return self.send(STOPPING=1, STATUS=status)


class Watchdog(msgspec.Struct, frozen=True):
    """The manager expects ``WATCHDOG=1`` at least every ``timeout`` seconds."""

    timeout: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Watchdog | None:
        """``None`` where no watchdog is set, or it is meant for another process."""
        variables = environment if environment is not None else os.environ
        microseconds = variables.get("WATCHDOG_USEC", "")
        pid = variables.get("WATCHDOG_PID", "")
        if not microseconds.isdigit() or int(microseconds) == 0 or (pid and pid != str(os.getpid())):
            return None
        return cls(int(microseconds) / 1e6)


def _abstract(address: str | None) -> str | None:
    return "\0" + address[1:] if address and address.startswith("@") else address


def _one_line(value: str | int) -> str:
    """A line break in a value would begin another field."""
    return " ".join(str(value).splitlines())
