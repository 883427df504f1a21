"""A wrong key, a wrong type, a bad duration; in file, environment and --set: 78, where, and what would be right."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.daemon_process import PROGRAM, TREE, clean_environment


def run(
    directory: Path, file: str = "", *, environment: dict[str, str] | None = None, arguments: tuple[str, ...] = ()
) -> str:
    config = directory / "supervisor.toml"
    config.write_text(TREE.read_text() + "\n" + file)
    ended = subprocess.run(
        [*PROGRAM, "run", "--config", str(config), *arguments],
        env={**clean_environment(), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 78, ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (directory / "var").exists(), "nothing is touched before the configuration is right"
    return ended.stderr


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("[http]\nbinds = '127.0.0.1:1'", "http.binds"),
        ("[http]\nmax_connections = 'many'", "http.max_connections"),
        ("[tenant.cache]\nttl = '5 minutes'", "for example"),
        ("[tenant.cache]\nttl = 300", "for example"),
        ("[nonsense]\nx = 1", "nonsense"),
    ],
)
def test_in_the_file(tmp_path: Path, text: str, right: str) -> None:
    (shown,) = run(tmp_path, text).splitlines()
    line = TREE.read_text().count("\n") + 3  # what is appended begins after a blank line, with its section
    assert right in shown
    assert f"supervisor.toml:{line}: " in shown


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("RUSTOK_HTTP__BINDS", "x", "RUSTOK_HTTP__BINDS"),
        ("RUSTOK_HTTP__MAX_CONNECTIONS", "many", "RUSTOK_HTTP__MAX_CONNECTIONS"),
        ("RUSTOK_TENANT__CACHE__TTL", "5 minutes", "for example"),
    ],
)
def test_in_the_environment(tmp_path: Path, name: str, value: str, right: str) -> None:
    shown = run(tmp_path, environment={name: value})
    assert name in shown
    assert right in shown


@pytest.mark.parametrize(
    ("setting", "right"),
    [
        ("http.binds=x", "http.binds"),
        ("http.max_connections=many", "http.max_connections"),
        ("tenant.cache.ttl=5", "for example"),
    ],
)
def test_in_an_option(tmp_path: Path, setting: str, right: str) -> None:
    shown = run(tmp_path, arguments=("--set", setting))
    assert "--set" in shown
    assert right in shown


def test_all_errors_at_once_one_line_each(tmp_path: Path) -> None:
    shown = run(tmp_path, "[http]\nbinds = 1\nmax_connections = 'many'", environment={"RUSTOK_TENANT__CACHE__TTL": "5"})
    assert len(shown.splitlines()) == 3


def test_the_checked_in_tree_is_right_and_check_needs_no_daemon(tmp_path: Path) -> None:
    (tmp_path / "supervisor.toml").write_text(TREE.read_text())
    ended = subprocess.run(
        [*PROGRAM, "check"], env=clean_environment(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert os.listdir(tmp_path) == ["supervisor.toml"]
