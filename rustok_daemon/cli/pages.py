"""Lists of the daemon, read to their end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .context import DaemonClient

_PER_PAGE = 500


def all_items(daemon: DaemonClient, path: str) -> list[Mapping[str, Any]]:
    """Every item of the list at ``path``, page by page. Raises as ``DaemonClient.get``."""
    items: list[Mapping[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = daemon.get(path, {"limit": _PER_PAGE, "cursor": cursor})
        items += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            return items
