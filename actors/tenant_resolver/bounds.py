"""How large a tenant's or a module's settings may be (RusToK's later rules: facts on the tenant path, 10.3)."""

from __future__ import annotations

from typing import Any

import msgspec

_MOST_BYTES = 16 * 1024
_MOST_KEYS = 256
_LONGEST_KEY = 128
DEEPEST = 8

encode = msgspec.json.Encoder(decimal_format="number").encode


class TooBig(ValueError):
    """Settings beyond one of the bounds; the text names it."""


def check_settings(settings: Any) -> None:
    """Raises ``TooBig``."""
    _check(settings, 1)
    if len(encode(settings)) > _MOST_BYTES:
        raise TooBig(f"more than {_MOST_BYTES // 1024} KiB")


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise TooBig(f"nested deeper than {DEEPEST}")
    if isinstance(value, dict):
        if len(value) > _MOST_KEYS:
            raise TooBig(f"an object with more than {_MOST_KEYS} members")
        if any(len(key) > _LONGEST_KEY for key in value):
            raise TooBig(f"a name with more than {_LONGEST_KEY} characters")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, depth + 1)
