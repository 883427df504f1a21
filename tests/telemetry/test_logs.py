"""Logs: one event a line, no secret in any."""

from __future__ import annotations

import io
import json
import logging
import os
from contextlib import suppress

import pytest

from rustok_daemon.config.types import Secret
from rustok_daemon.telemetry import logs


@pytest.fixture(autouse=True)
def own_logging(fresh_logging: None) -> None:
    """Every test here sets it up."""


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_has_time_level_event_and_fields() -> None:
    out = io.StringIO()
    logs.configure("info", "json", out)
    logs.get_logger(actor="drain").info("waiting", seconds=2)
    (line,) = lines(out)
    assert line["event"] == "waiting"
    assert line["level"] == "info"
    assert line["actor"] == "drain"
    assert line["seconds"] == 2
    assert str(line["at"]).endswith("Z")


def test_below_the_level_is_silent() -> None:
    out = io.StringIO()
    logs.configure("warning", "json", out)
    logs.get_logger().info("no")
    assert out.getvalue() == ""


@pytest.mark.parametrize("field", ["password", "X_Token", "authorization", "jwt_secret"])
def test_a_field_that_names_a_secret_is_redacted(field: str) -> None:
    out = io.StringIO()
    logs.configure("info", "json", out)
    logs.get_logger().info("login", **{field: "hunter2"}, url=Secret("hunter2"))
    assert "hunter2" not in out.getvalue()


def test_the_password_of_a_url_in_any_text_is_redacted() -> None:
    out = io.StringIO()
    logs.configure("info", "json", out)
    logs.get_logger().info("lost redis://:hunter2@h", reason="cannot reach postgresql://u:hunter2@h/db at all")
    logging.getLogger("library").error("bad redis://:%s@h", "hunter2")
    assert "hunter2" not in out.getvalue()
    assert lines(out)[0]["reason"] == "cannot reach postgresql://u:***@h/db at all"


def test_libraries_log_in_the_same_form() -> None:
    out = io.StringIO()
    logs.configure("info", "json", out)
    logging.getLogger("some.library").warning("odd %s", "thing")
    (line,) = lines(out)
    assert line["event"] == "odd thing"
    assert line["logger"] == "some.library"


def test_auto_is_json_where_nobody_looks() -> None:
    out = io.StringIO()
    logs.configure("info", "auto", out)
    logs.get_logger().info("x")
    assert lines(out)


def test_a_change_of_the_level_reaches_loggers_that_are_long_made() -> None:
    out = io.StringIO()
    logs.configure("info", "json", out)
    log = logs.get_logger(actor="old")
    log.info("made")
    logs.set_level("error")
    log.warning("no")
    logs.set_level("debug")
    log.debug("yes")
    assert [line["event"] for line in lines(out)] == ["made", "yes"]


def test_a_line_begins_with_when_how_bad_who_and_what() -> None:
    out = io.StringIO()
    logs.configure("info", "json", out)
    logs.get_logger(actor="drain", seconds=1).error("waiting")
    assert list(lines(out)[0]) == ["at", "level", "actor", "event", "seconds"]


def test_a_reader_that_is_gone_fails_nobody() -> None:
    ours, theirs = os.pipe()
    stream = os.fdopen(theirs, "w")
    logs.configure("info", "json", stream)
    log = logs.get_logger()
    os.close(ours)
    log.info("into the void")
    logging.getLogger("library").error("too")
    with suppress(BrokenPipeError):
        stream.close()
    log.info("into a closed stream")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for environment, coloured in ({}, True), ({"NO_COLOR": "1"}, False):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        out = Terminal()
        logs.configure("info", "auto", out)
        logs.get_logger(actor="drain").info("waiting")
        assert ("\x1b[" in out.getvalue()) is coloured
        assert "waiting" in out.getvalue()


def test_a_person_reads_the_text_of_an_event_and_its_traceback_below() -> None:
    out = io.StringIO()
    logs.configure("info", "console", out)
    logs.get_logger(actor="root").error(
        "root/x failed: no", kind="child_failed", path="root/x", traceback="Trace\n  here"
    )
    first, *rest = out.getvalue().splitlines()
    assert "root/x failed: no" in first
    assert "path" not in first
    assert rest == ["Trace", "  here"]
