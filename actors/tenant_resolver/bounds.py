"""How large a tenant's or a module's settings may be (RusToK's later rules: facts on the tenant path, 10.3)."""

from __future__ import annotations

from typing import Any

import msgspec

from rustok_daemon.api.call import Problem
from rustok_daemon.api.problems import ProblemType

_MOST_BYTES = 16 * 1024
_MOST_KEYS = 256
_LONGEST_KEY = 128
DEEPEST = 8


def check_settings(settings: dict[str, Any]) -> None:
    """Raises ``Problem`` 422."""
    if len(msgspec.json.encode(settings)) > _MOST_BYTES:
        raise _too_big(f"more than {_MOST_BYTES // 1024} KiB")
    _check(settings, 1)


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise _too_big(f"nested deeper than {DEEPEST}")
    if isinstance(value, dict):
        if len(value) > _MOST_KEYS:
            raise _too_big(f"an object with more than {_MOST_KEYS} members")
        if any(len(key) > _LONGEST_KEY for key in value):
            raise _too_big(f"a name with more than {_LONGEST_KEY} characters")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, depth + 1)


def _too_big(what: str) -> Problem:
    return Problem(422, ProblemType.INVALID_BODY, f"settings: {what}", field="settings")
