"""Where the embedded server keeps what."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from urllib.parse import quote

from rustok_daemon.lifecycle import exit_codes
from rustok_daemon.supervision.errors import FatalExit

_SOCKET_PATH_LIMIT = 107


def data(data_dir: Path) -> Path:
    """The append-only file's directory; the server works in it."""
    return data_dir.absolute() / "redis"


def pid_file(data_dir: Path) -> Path:
    return data(data_dir) / "redis.pid"


def socket(data_dir: Path) -> Path:
    """Beside the data unless that path is too long for a socket; then below /tmp, by its hash."""
    near = data(data_dir) / "redis.sock"
    if len(os.fsencode(near)) <= _SOCKET_PATH_LIMIT:
        return near
    return Path("/tmp") / f"rustok-{hashlib.sha256(os.fsencode(near)).hexdigest()[:16]}" / "redis.sock"  # noqa: S108


def url(data_dir: Path) -> str:
    """Works as it stands with every Redis client that knows unix sockets."""
    return f"unix://{quote(os.fspath(socket(data_dir)))}"


def make(data_dir: Path) -> None:
    """Makes the directories, for us alone. Raises ``FatalExit`` (78) when somebody else's lies there."""
    for directory in (data(data_dir), socket(data_dir).parent):
        _private(directory)


def _private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise FatalExit(
                exit_codes.CONFIGURATION, f"{directory} exists and is not a private directory of ours; move it away"
            ) from None
