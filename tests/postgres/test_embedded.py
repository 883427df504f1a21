"""The embedded server: as root and as an ordinary user, after a crash, of another version, in somebody's directory."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trio

from rustok_daemon.lifecycle import data_dir as data_directory
from rustok_daemon.lifecycle.orphan import stop_orphan
from rustok_daemon.postgres import binaries, launcher, layout
from rustok_daemon.postgres.embedded import SERVER, EmbeddedPostgres, EmbeddedPostgresSettings
from rustok_daemon.supervision.errors import FatalExit
from rustok_daemon.testing import run_actor

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """Below a directory that only its owner may enter."""
    tmp_path.chmod(0o700)
    made = tmp_path / "var"
    made.mkdir(mode=0o700)
    yield made
    for pid in servers(made):
        os.kill(pid, signal.SIGKILL)


def embedded(data_dir: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(EmbeddedPostgresSettings(data_dir))


def psql(data_dir: Path, sql: str) -> str:
    """The URL as it stands, with the real psql."""
    command = [binaries.program("psql"), "-X", "-At", "-d", layout.url(data_dir), "-c", sql]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def servers(data_dir: Path) -> Sequence[int]:
    """The postmaster that works on this cluster, if one does."""
    pid = pid_file(data_dir).split("\n", 1)[0]
    try:
        return [int(pid)] if os.readlink(f"/proc/{pid}/cwd") == str(layout.cluster(data_dir)) else []
    except (OSError, ValueError):
        return []


def pid_file(data_dir: Path) -> str:
    try:
        return (layout.cluster(data_dir) / "postmaster.pid").read_text()
    except FileNotFoundError:
        return ""


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def uid_map(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/uid_map").read_text().split()


def owner(path: Path) -> int:
    return path.stat().st_uid


async def test_it_serves_keeps_what_it_has_and_leaves_no_process(data_dir: Path) -> None:
    async with run_actor(embedded(data_dir)):
        assert psql(data_dir, "create table kept as select 1 as n; select current_database(), current_user") == (
            "SELECT 1\nrustok|rustok"
        )
        assert psql(data_dir, "show server_encoding; show listen_addresses") == "UTF8\n".rstrip()
    assert servers(data_dir) == []
    async with run_actor(embedded(data_dir)):
        assert psql(data_dir, "select n from kept") == "1"


async def test_nobody_else_reaches_its_files_or_its_socket(data_dir: Path) -> None:
    async with run_actor(embedded(data_dir)):
        for path in (data_dir / "postgres", layout.cluster(data_dir), layout.socket_dir(data_dir)):
            assert mode(path) == 0o700
        assert mode(data_dir) == 0o700, "what is not made by us is not changed"


@root_only
async def test_for_root_it_runs_in_a_user_namespace_below_a_directory_only_root_enters(data_dir: Path) -> None:
    async with run_actor(embedded(data_dir)):
        (pid,) = servers(data_dir)
        assert uid_map(pid) == ["1000", "0", "1"]
        assert owner(layout.cluster(data_dir)) == 0


@root_only
async def test_without_user_namespaces_it_runs_as_an_unprivileged_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launcher, "_ENTER", ("/bin/false",))
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        os.chmod(directory, 0o711)
        with data_directory.hold(Path(directory) / "var"):
            data_dir = Path(directory) / "var"
            closed = [parent for parent in Path(binaries.program("postgres")).parents if not mode(parent) & 0o001]
            if closed:  # an environment below a directory that only root enters: said, and not tried
                with pytest.raises(FatalExit, match=f"may not enter {closed[0]};"):
                    launcher.choose(data_dir)
                return
            async with run_actor(embedded(data_dir)):
                (pid,) = servers(data_dir)
                assert owner(Path(f"/proc/{pid}")) != 0
                assert psql(data_dir, "select 1") == "1"


@root_only
def test_a_directory_that_user_may_not_enter_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_ENTER", ("/bin/false",))
    data_dir.chmod(0o711)
    with pytest.raises(FatalExit, match=f"may not enter {data_dir.parent};") as refused:
        launcher.choose(data_dir)
    assert refused.value.code == 78
    assert mode(data_dir.parent) == 0o700


@pytest.mark.parametrize("frozen", [False, True])
async def test_a_server_that_outlived_its_daemon_is_stopped_by_the_next_start(data_dir: Path, frozen: bool) -> None:
    left = await left_behind(data_dir)
    if frozen:
        left.send_signal(signal.SIGSTOP)
    async with run_actor(embedded(data_dir)):
        assert left.pid not in servers(data_dir)
        assert psql(data_dir, "select n from kept") == "7"
    left.wait(5)


async def left_behind(data_dir: Path) -> subprocess.Popen[bytes]:
    """A server as a killed daemon leaves it: running, and nobody's child that knows of it."""
    async with run_actor(embedded(data_dir)):
        psql(data_dir, "create table kept as select 7 as n")
    as_whom = launcher.choose(data_dir)
    words = [binaries.program("postgres"), "-D", str(layout.cluster(data_dir))]
    words += ["-c", f"unix_socket_directories={layout.socket_dir(data_dir)}", "-c", "listen_addresses="]
    process = subprocess.Popen(  # noqa: ASYNC220
        as_whom.command(words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with trio.fail_after(10):
        while "ready" not in pid_file(data_dir):
            await trio.sleep(0.02)
    return process


async def test_a_number_that_is_somebody_elses_by_now_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text(f"{os.getpid()}\n")
    assert await stop_orphan(SERVER, tmp_path / "pid", tmp_path) is None


async def test_a_cluster_of_another_major_version_is_refused_with_what_to_do(data_dir: Path) -> None:
    cluster = layout.cluster(data_dir)
    cluster.mkdir(parents=True, mode=0o700)
    (data_dir / "postgres").chmod(0o700)
    (cluster / "PG_VERSION").write_text("13\n")
    with pytest.raises(BaseExceptionGroup) as refused:
        async with run_actor(embedded(data_dir)):
            pass
    (error,) = [each for each in leaves(refused.value) if isinstance(each, FatalExit)]
    assert error.code == 78
    assert f"was made by PostgreSQL 13 and this is {binaries.major()}: dump it with the old version" in error.message
    assert [path.name for path in cluster.iterdir()] == ["PG_VERSION"]


async def test_a_first_start_that_was_cut_off_is_begun_anew(data_dir: Path) -> None:
    half = layout.cluster(data_dir).with_name("data.new")
    half.mkdir(parents=True)
    (data_dir / "postgres").chmod(0o700)
    (half / "PG_VERSION").write_text("half\n")
    async with run_actor(embedded(data_dir)):
        assert psql(data_dir, "select 1") == "1"


@pytest.mark.parametrize("given", [0o755, 0o770])
async def test_a_directory_others_may_read_is_not_used(data_dir: Path, given: int) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres").chmod(given)
    with pytest.raises(BaseExceptionGroup) as refused:
        async with run_actor(embedded(data_dir)):
            pass
    (error,) = [each for each in leaves(refused.value) if isinstance(each, FatalExit)]
    assert "is not a private directory of ours" in error.message
    assert mode(data_dir / "postgres") == given


def test_a_path_too_long_for_a_socket_is_shortened(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 120)
    assert len(os.fsencode(layout.socket_dir(long) / ".s.PGSQL.5432.lock")) <= 107
    assert layout.socket_dir(long) != layout.socket_dir(tmp_path / ("e" * 120))


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]
