"""The service manager's side of NOTIFY_SOCKET, played by the test."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rustok_daemon.systemd import Notifier, Watchdog


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"{directory}/notify")
        sock.settimeout(2)
        yield sock


def test_fields_travel_together_in_utf8(manager: socket.socket) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname()})
    assert notifier.ready("läuft … 3 actors → ready")
    assert manager.recv(4096).decode() == "READY=1\nSTATUS=läuft … 3 actors → ready"


def test_a_line_break_cannot_forge_a_field(manager: socket.socket) -> None:
    Notifier(manager.getsockname()).status("bad\nREADY=1")
    assert manager.recv(4096) == b"STATUS=bad READY=1"


def test_a_reload_carries_the_time_it_began(manager: socket.socket) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(manager.getsockname()).reloading("reloading")
    fields = dict(line.split("=") for line in manager.recv(4096).decode().splitlines())
    assert (fields["RELOADING"], fields["STATUS"]) == ("1", "reloading")
    assert before <= int(fields["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_abstract_addresses() -> None:
    name = f"rustok-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        sock.settimeout(2)
        assert Notifier.from_environment({"NOTIFY_SOCKET": "@" + name}).stopping("draining")
        assert sock.recv(4096) == b"STOPPING=1\nSTATUS=draining"


def test_a_manager_that_does_not_read_never_blocks_us(manager: socket.socket) -> None:
    notifier = Notifier(manager.getsockname())
    sent = [notifier.status("x") for _ in range(2000)]
    assert sent[0]
    assert not sent[-1]


def test_outside_systemd_nothing_is_sent() -> None:
    notifier = Notifier.from_environment({})
    assert not notifier.connected
    assert not notifier.ready("x")


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    assert not Notifier(str(tmp_path / "gone")).ready("x")


def test_watchdog_is_taken_only_when_meant_for_this_process() -> None:
    assert Watchdog.from_environment({"WATCHDOG_USEC": "3000000"}) == Watchdog(3.0)
    assert Watchdog.from_environment({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}) == Watchdog(3.0)
    assert Watchdog.from_environment({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}) is None
    assert Watchdog.from_environment({"WATCHDOG_USEC": "0"}) is None
    assert Watchdog.from_environment({}) is None
