"""The data directory's lock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rustok_daemon.lifecycle import data_dir
from rustok_daemon.lifecycle.errors import StartRefused


def test_first_start_makes_a_directory_that_nobody_else_can_read(tmp_path: Path) -> None:
    with data_dir.hold(tmp_path / "a" / "var"):
        assert (tmp_path / "a" / "var").stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)
        assert (tmp_path / "a" / "var" / "daemon.lock").stat().st_mode & 0o077 == 0


def test_the_permissions_of_a_directory_that_was_there_are_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with data_dir.hold(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o750


def test_a_second_daemon_is_refused_with_6_and_the_pid_of_the_first(tmp_path: Path) -> None:
    with data_dir.hold(tmp_path):
        with pytest.raises(StartRefused) as refused, data_dir.hold(tmp_path):
            pass
        assert refused.value.exit_code == 6
        assert str(os.getpid()) in refused.value.message


def test_no_lock_file_stays_behind(tmp_path: Path) -> None:
    with data_dir.hold(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_leaves_the_directory_free(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib\n"
        "from rustok_daemon.lifecycle import data_dir\n"
        "with data_dir.hold(pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == -9
    with data_dir.hold(tmp_path):
        pass


def test_a_path_that_cannot_be_a_directory_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartRefused) as refused, data_dir.hold(tmp_path / "file" / "var"):
        pass
    assert refused.value.exit_code == 78
    assert "daemon.data_dir" in refused.value.message
