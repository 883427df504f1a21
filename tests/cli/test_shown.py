"""What is printed: the configuration, the URL of the database, tables on a terminal and in a pipe."""

from __future__ import annotations

import io
import json

import pytest

from rustok_daemon.cli.output import Printer
from tests.cli.conftest import Shell

SECRET = 'database.url="postgresql://u:hunter2@h/db"'.replace('"', "")


def test_every_key_with_its_value_as_it_would_be_written_and_where_it_came_from(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.write("[http]\nmax_body = '1MiB'")
    monkeypatch.setenv("RUSTOK_HTTP__METRICS_TOKEN", "true")
    lines = shell("config", "--set", "daemon.name=a").out.splitlines()
    for line in (
        'http.max_body = "1MiB"  # supervisor.toml',
        "http.metrics_token = true  # RUSTOK_HTTP__METRICS_TOKEN",
        'daemon.name = "a"  # --set daemon.name',
        'http.authorize_from = ["127.0.0.0/8","::1/128"]',
        'http.socket_mode = "0660"',
        'supervisor.children[1].start = "rustok_daemon.postgres:DatabaseActor"  # supervisor.toml',
    ):
        assert line in lines


def test_config_shows_no_secret(shell: Shell) -> None:
    for words in (("config",), ("config", "--json")):
        typed = shell(*words, "--set", SECRET)
        assert "hunter2" not in typed.out
        assert "***" in typed.out


def test_db_url_of_the_embedded_server_is_below_the_data_directory(shell: Shell) -> None:
    shown = shell("db", "url", "--set", "daemon.data_dir=/x").out
    assert shown == "postgresql://rustok@/rustok?host=%2Fx%2Fpostgres%2Frun&port=5432\n"


def test_db_url_shows_its_password_into_a_pipe_and_only_when_asked_on_a_terminal(shell: Shell) -> None:
    assert "hunter2" in shell("db", "url", "--set", SECRET).out
    assert json.loads(shell("db", "url", "--json", "--set", SECRET).out)["url"] == SECRET.partition("=")[2]
    assert b"hunter2" not in shell.on_terminal("db", "url", "--set", SECRET)
    assert b"u:***@h/db" in shell.on_terminal("db", "url", "--set", SECRET)
    assert b"hunter2" in shell.on_terminal("db", "url", "--show", "--set", SECRET)


def test_truncate_asks_first_and_refuses_in_production(shell: Shell) -> None:
    refused = shell("db", "truncate", "--set", SECRET)
    assert (refused.code, "--yes" in refused.err) == (2, True)
    refused = shell("db", "truncate", "--yes", "--env", "production", "--set", SECRET)
    assert (refused.code, "refused in production" in refused.err) == (1, True)


def test_a_table_in_a_pipe_is_plain_and_on_a_terminal_is_drawn(shell: Shell) -> None:
    piped = shell("routes").out.splitlines()
    assert piped[0] == "method\tpath\tscope\tsummary"
    assert "GET\t/v1/database/status\tadmin\tWhich migrations ran" in piped
    shown = shell.on_terminal("routes")
    assert b"\xe2\x94\x80" in shown, "a rule below the heads"
    assert b"\t" not in shown


def test_no_color_is_honoured(shell: Shell) -> None:
    assert b"\x1b[" in shell.on_terminal("routes")
    assert b"\x1b[3" not in shell.on_terminal("routes", NO_COLOR="1")


def test_json_is_one_document_and_remarks_go_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    printer = Printer(True, out)
    printer.line("a remark")
    printer.table("items", [{"a": 1, "b": None}], ("a",))
    assert json.loads(out.getvalue()) == {"schema": 1, "items": [{"a": 1, "b": None}]}
    assert capsys.readouterr().err == "a remark\n"


def test_values_as_a_person_reads_them() -> None:
    out = io.StringIO()
    printer = Printer(False, out)
    printer.table("items", [{"a": True, "b": None, "c": {"x": [1]}}, {"a": False, "c": "t"}], ("a", "b", "c"))
    printer.document({"one": 1, "longer": "x"})
    assert out.getvalue() == 'a\tb\tc\nyes\t-\t{"x":[1]}\nno\t-\tt\none     1\nlonger  x\n'
