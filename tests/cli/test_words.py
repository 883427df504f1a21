"""What can be typed, in which order, and what is said to anything else (contract.md, "Commands")."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rustok_daemon import __version__
from tests.cli.conftest import Shell


def test_version(shell: Shell) -> None:
    assert shell("version").out == f"rustok-daemon {__version__}\n"
    assert json.loads(shell("version", "--json").out) == {"schema": 1, "version": __version__}


@pytest.mark.parametrize(
    "words", [(), ("nonsense",), ("status", "more"), ("db",), ("db", "nonsense"), ("status", "--wat")]
)
def test_what_is_no_command_is_2_and_shows_the_usage(shell: Shell, words: tuple[str, ...]) -> None:
    typed = shell(*words)
    assert typed.code == 2
    assert typed.err.startswith("rustok-daemon: ")
    assert "usage: rustok-daemon" in typed.err
    assert typed.out == ""


@pytest.mark.parametrize("words", [("config", "--env"), ("config", "--en", "test"), ("--conf", "x", "config")])
def test_options_are_whole_and_have_their_values(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell(*words).code == 2


def test_an_actor_that_is_not_in_the_tree_has_no_commands(shell: Shell) -> None:
    assert shell("tenant", "list").code == 2


@pytest.mark.parametrize(
    "words",
    [
        (
            "--json",
            "--env",
            "test",
            "--set",
            "http.bind=",
            "--set",
            "daemon.name=a",
            "--config",
            "supervisor.toml",
            "config",
        ),
        (
            "config",
            "--json",
            "--env",
            "test",
            "--set",
            "http.bind=",
            "--set",
            "daemon.name=a",
            "--config=supervisor.toml",
        ),
        ("--env=test", "--set=http.bind=", "config", "--set", "daemon.name=a", "--json"),
    ],
)
def test_common_options_stand_before_or_after_the_verb(shell: Shell, words: tuple[str, ...]) -> None:
    shown = json.loads(shell(*words).out)
    assert shown["schema"] == 1
    assert shown["environment"] == "test"
    assert (shown["configuration"]["http"]["bind"], shown["configuration"]["daemon"]["name"]) == ("", "a")


def test_the_socket_is_an_option_of_every_command(shell: Shell) -> None:
    assert "/x/y.sock" in shell("status", "--socket", "/x/y.sock").err
    assert "/x/y.sock" in shell("--socket", "/x/y.sock", "status").err


def test_help_is_there_without_a_configuration_that_is_right(shell: Shell) -> None:
    shell.write("[nonsense]\nx = 1")
    typed = shell("--help")
    assert (typed.code, typed.err) == (0, "")
    assert "status" in typed.out
    assert shell("version").code == 0


@pytest.mark.parametrize(
    "words", [("check",), ("config",), ("routes",), ("run",), ("status",), ("tenant", "list"), ("db", "url")]
)
def test_all_else_ends_with_78_and_a_line_each(shell: Shell, words: tuple[str, ...]) -> None:
    shell.write("[nonsense]\nx = 1\n[http]\nbind = 3")
    typed = shell(*words)
    assert typed.code == 78
    lines = typed.err.splitlines()
    assert lines[0].startswith("supervisor.toml:2: nonsense: there is no such section; ")
    assert lines[1].startswith("supervisor.toml:4: http.bind: ")
    assert len(lines) == 2


def test_what_only_an_actor_itself_finds_wrong_is_78_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.write('[[supervisor.children]]\nid = "x"\nstart = "actors.cache_invalidation:CacheInvalidation"\n')
    monkeypatch.setenv("REDIS_URL", "mysql://:hunter2@h")
    typed = shell("check")
    assert (typed.code, typed.out) == (78, "")
    assert typed.err.startswith("REDIS_URL: is not a Redis URL: write redis://")
    assert shell("version").code == 0


def test_check_names_what_it_checked(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "supervisor.local.toml").touch()
    typed = shell("check")
    assert (typed.code, typed.out) == (0, "configuration is right (supervisor.toml, supervisor.local.toml)\n")
    assert json.loads(shell("check", "--json").out)["ok"] is True


def test_nothing_that_only_looks_leaves_anything_behind(shell: Shell, tmp_path: Path) -> None:
    for words in (("check",), ("config",), ("routes",), ("version",), ("db", "url"), ("status",)):
        shell(*words)
    assert [path.name for path in tmp_path.iterdir()] == ["supervisor.toml"]


@pytest.mark.parametrize(
    "words", [("status",), ("reload",), ("db", "migrate"), ("db", "status"), ("db", "truncate", "--yes")]
)
def test_what_needs_the_daemon_is_3_without_it(shell: Shell, words: tuple[str, ...]) -> None:
    typed = shell(*words)
    assert typed.code == 3
    assert typed.err.startswith("rustok-daemon: no daemon answers at ")


def test_watch_and_json_exclude_each_other(shell: Shell) -> None:
    assert shell("status", "--watch", "--json").code == 2
