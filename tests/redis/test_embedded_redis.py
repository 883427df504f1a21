"""The server the daemon runs itself: private, durable, stopped with the daemon and after it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from rustok_daemon.lifecycle.orphan import stop_orphan
from rustok_daemon.redis import EmbeddedRedis, layout
from rustok_daemon.redis.embedded import SERVER, EmbeddedRedisSettings
from rustok_daemon.supervision.errors import ProcessEnded
from rustok_daemon.testing import run_actor
from tests.redis_servers import RedisProcess


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory)


def actor(data_dir: Path) -> EmbeddedRedis:
    return EmbeddedRedis(EmbeddedRedisSettings(data_dir))


def pid_of(data_dir: Path) -> int:
    return int(layout.pid_file(data_dir).read_text())


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def spoken(data_dir: Path, *words: str) -> bytes:
    server = RedisProcess(layout.data(data_dir))
    server.socket = layout.socket(data_dir)
    return server.command(*words)


async def test_it_serves_on_a_private_socket_only_and_is_gone_afterwards(data_dir: Path) -> None:
    with trio.fail_after(10):
        async with run_actor(actor(data_dir)):
            assert spoken(data_dir, "PING") == b"+PONG\r\n"
            assert stat.S_IMODE(layout.data(data_dir).stat().st_mode) == 0o700
            assert stat.S_IMODE(layout.socket(data_dir).stat().st_mode) == 0o700
            assert b"tcp_port:0" in spoken(data_dir, "INFO", "server")
            pid = pid_of(data_dir)
            assert os.getsid(pid) == pid, "a terminal's Ctrl-C does not reach it"
        assert not alive(pid)
        assert not layout.socket(data_dir).exists()
        assert not layout.pid_file(data_dir).exists()


async def test_what_was_written_is_there_after_a_restart(data_dir: Path) -> None:
    with trio.fail_after(10):
        async with run_actor(actor(data_dir)):
            assert spoken(data_dir, "SET", "k", "v") == b"+OK\r\n"
            assert b"everysec" in spoken(data_dir, "CONFIG", "GET", "appendfsync")
        async with run_actor(actor(data_dir)):
            assert spoken(data_dir, "GET", "k") == b"$1\r\nv\r\n"


async def test_a_server_that_ends_by_itself_is_a_failure(data_dir: Path) -> None:
    with trio.fail_after(10), pytest.raises(ExceptionGroup) as failed:
        async with run_actor(actor(data_dir)):
            os.kill(pid_of(data_dir), signal.SIGKILL)
            await trio.sleep_forever()
    assert failed.group_contains(ProcessEnded, match="SIGKILL")


@pytest.mark.parametrize("frozen", [False, True])
async def test_an_orphan_of_a_killed_daemon_is_stopped_and_its_data_kept(data_dir: Path, frozen: bool) -> None:
    layout.make(data_dir)
    orphan = RedisProcess(layout.data(data_dir), "--pidfile", str(layout.pid_file(data_dir)))
    orphan.start()
    orphan.command("SET", "k", "v")
    if frozen:
        orphan.freeze()
    with trio.fail_after(15):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reaped, orphan)
            async with run_actor(actor(data_dir)):
                assert pid_of(data_dir) != orphan.pid
                assert spoken(data_dir, "GET", "k") == b"$1\r\nv\r\n"


async def reaped(orphan: RedisProcess) -> None:
    """What init does for a real orphan."""
    await trio.to_thread.run_sync(orphan.wait)


@pytest.fixture
def bystander(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another program that works in our directory."""
    layout.make(data_dir)
    with subprocess.Popen(["sleep", "60"], cwd=layout.data(data_dir)) as process:
        yield process
        process.kill()


async def test_a_pid_file_whose_number_was_taken_by_another_harms_nobody(
    data_dir: Path, bystander: subprocess.Popen[bytes]
) -> None:
    layout.pid_file(data_dir).write_text(f"{bystander.pid}\n")
    assert await stop_orphan(SERVER, layout.pid_file(data_dir), layout.data(data_dir)) is None
    assert bystander.poll() is None


async def test_a_server_on_other_data_is_no_orphan_of_ours(data_dir: Path, redis_server: RedisProcess) -> None:
    layout.make(data_dir)
    layout.pid_file(data_dir).write_text(str(redis_server.pid))
    assert await stop_orphan(SERVER, layout.pid_file(data_dir), layout.data(data_dir)) is None
    assert redis_server.command("PING") == b"+PONG\r\n"


@pytest.mark.parametrize("text", ["", "nonsense", "999999999"])
async def test_a_pid_file_that_says_nothing_is_passed_over(data_dir: Path, text: str) -> None:
    layout.make(data_dir)
    layout.pid_file(data_dir).write_text(text)
    assert await stop_orphan(SERVER, layout.pid_file(data_dir), layout.data(data_dir)) is None


async def test_a_data_directory_with_a_long_path_works(data_dir: Path) -> None:
    long = data_dir / ("d" * 100)
    with trio.fail_after(10):
        async with run_actor(actor(long)):
            assert spoken(long, "PING") == b"+PONG\r\n"
    layout.socket(long).parent.rmdir()
