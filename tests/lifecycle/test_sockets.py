"""The listening sockets the root binds."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rustok_daemon.lifecycle.errors import StartRefused
from rustok_daemon.lifecycle.sockets import open_sockets


@pytest.fixture
def short_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory)


def test_both_kinds_listen_and_the_unix_one_has_its_mode(short_dir: Path) -> None:
    path = short_dir / "d.sock"
    with open_sockets("127.0.0.1:0", path, 0o660) as sockets:
        assert path.stat().st_mode & 0o777 == 0o660
        for address, family in ((sockets.http[0].getsockname(), socket.AF_INET), (str(path), socket.AF_UNIX)):
            with socket.socket(family) as client:
                client.connect(address)
    assert not path.exists()


def test_no_tcp_at_all_when_bind_is_empty(short_dir: Path) -> None:
    with open_sockets("", short_dir / "d.sock", 0o600) as sockets:
        assert sockets.http == ()


def test_a_taken_port_is_refused_with_6(short_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(StartRefused, match=r"http\.bind: .* in use") as refused,
            open_sockets(f"127.0.0.1:{port}", short_dir / "d.sock", 0o600),
        ):
            pass
    assert refused.value.exit_code == 6


def test_a_unix_socket_somebody_listens_on_is_refused_with_6(short_dir: Path) -> None:
    path = short_dir / "d.sock"
    with open_sockets("", path, 0o600):
        with pytest.raises(StartRefused) as refused, open_sockets("", path, 0o600):
            pass
        assert refused.value.exit_code == 6
        assert path.exists()


def test_a_stale_unix_socket_is_replaced(short_dir: Path) -> None:
    path = short_dir / "d.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    with open_sockets("", path, 0o600) as sockets:
        assert sockets.control.getsockname() == str(path)


def test_a_file_in_the_way_is_never_removed(short_dir: Path) -> None:
    path = short_dir / "d.sock"
    path.write_text("mine")
    with pytest.raises(StartRefused) as refused, open_sockets("", path, 0o600):
        pass
    assert refused.value.exit_code == 78
    assert path.read_text() == "mine"


def test_a_path_beyond_the_limit_of_unix_sockets_is_named(short_dir: Path) -> None:
    with (
        pytest.raises(StartRefused, match=r"http\.socket: .*107 bytes"),
        open_sockets("", short_dir / ("x" * 120), 0o6),
    ):
        pass
