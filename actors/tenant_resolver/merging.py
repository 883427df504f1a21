"""Settings as a merge patch changes them (RFC 7396); what the patch does not name stays to the last digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from rustok_daemon.postgres.errors import UnreadableValue

from .bounds import check_settings, encode


def merged_settings(before: bytes, patch: dict[str, Any]) -> str:
    """The JSON of ``before`` with ``patch`` merged into it. Raises ``TooBig``, ``UnreadableValue``."""
    try:
        settings = json.loads(before, parse_int=Decimal, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise UnreadableValue(f"settings cannot be read: {error}") from error
    after = merge(settings, patch)
    check_settings(after)
    return encode(after).decode()


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2: members are merged, ``null`` removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged
