"""Logs: one event a line, no secret in any."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from rustok_daemon.config.types import Secret
from rustok_daemon.telemetry import logs


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    handlers = logging.getLogger().handlers
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers


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
