"""Logs are events with fields: JSON lines for machines, aligned text for people, secrets in neither."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

import structlog

from rustok_daemon.config.types import Secret
from rustok_daemon.config.urls import redacted

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

_SECRET_WORDS = ("password", "passwd", "secret", "token", "authorization", "api_key", "cookie", "credential")
_REDACTED = "***"

_LIBRARY_LEVEL = logging.WARNING
"""Libraries speak through ``logging``; below this they only repeat what our own events say."""

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_least = _LEVELS["info"]
"""Read by every event, so that a change reaches loggers that are long made."""


def set_level(level: str) -> None:
    """From now on events below ``level`` (debug, info, warning, error) are dropped."""
    global _least
    _least = _LEVELS[level]


def _drop_below_level(_logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _LEVELS.get(method, _least) < _least:
        raise structlog.DropEvent
    return event


def _event_first(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """In the order a person reads: when, how bad, who, what; then the fields."""
    first = {name: event.pop(name) for name in ("at", "level", "actor", "event") if name in event}
    return {**first, **event}


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hides every ``Secret``, what a field's name says is one, and the password of every URL in a text."""
    for name, value in event.items():
        if isinstance(value, Secret) or (isinstance(value, str) and _names_a_secret(name)):
            event[name] = _REDACTED
        elif isinstance(value, str) and "://" in value:
            event[name] = redacted(value)
    return event


def _names_a_secret(name: str) -> bool:
    lowered = name.lower()
    return any(word in lowered for word in _SECRET_WORDS)


def _for_people(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The supervisor's events say in their text what their fields say to machines; a traceback stands below its line."""
    if "kind" not in event:
        return event
    shown = {name: event[name] for name in ("at", "level", "actor", "event") if name in event}
    return {**shown, "exception": event["traceback"]} if "traceback" in event else shown


class _Lines:
    """Writes a line an event. Nobody fails because nobody reads any more, and no lock is held by whom a signal stops."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):  # a pipe whose reader is gone, a stream that is closed
            self._stream.write(message + "\n")
            self._stream.flush()

    debug = info = warning = warn = error = err = critical = fatal = exception = log = msg


def configure(level: str, format: str, stream: TextIO | None = None) -> None:
    """Sets logging up for the process.

    ``level``: debug, info, warning, error. ``format``: ``json``, ``console``, or ``auto``: console on a terminal.
    """
    set_level(level)
    out = stream or sys.stderr
    as_text = format == "console" or (format == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        redact,
        _event_first,
    ]
    render: list[Processor] = [_for_people, _console(out)] if as_text else _json()
    structlog.configure(
        processors=[_drop_below_level, *shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        logger_factory=lambda *_: _Lines(out),
        cache_logger_on_first_use=True,
    )
    _bridge_libraries(out, shared, render)


def _console(out: TextIO) -> Processor:
    colors = out.isatty() and "NO_COLOR" not in os.environ
    return structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="at", sort_keys=False)


def _json() -> list[Processor]:
    return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(default=str)]


def _bridge_libraries(out: TextIO, shared: list[Processor], render: list[Processor]) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LIBRARY_LEVEL)


def get_logger(**fields: Any) -> FilteringBoundLogger:
    """A logger whose events carry ``fields``."""
    return cast("FilteringBoundLogger", structlog.get_logger(**fields))
