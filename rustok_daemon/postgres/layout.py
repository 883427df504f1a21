"""Where the embedded server keeps what."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from urllib.parse import quote

from rustok_daemon.supervision.errors import FatalExit

from .binaries import CONFIGURATION
from .launcher import Launcher

USER = "rustok"
DATABASE = "rustok"
PORT = 5432
_SOCKET_PATH_LIMIT = 107


def cluster(data_dir: Path) -> Path:
    return data_dir / "postgres" / "data"


def pid_file(data_dir: Path) -> Path:
    """The server's own."""
    return cluster(data_dir) / "postmaster.pid"


def socket_dir(data_dir: Path) -> Path:
    """Private to us. Below the data directory unless the path is too long for a socket; then below /tmp, by its hash."""
    near = data_dir.absolute() / "postgres" / "run"
    if len(os.fsencode(near / f".s.PGSQL.{PORT}.lock")) <= _SOCKET_PATH_LIMIT:
        return near
    return Path("/tmp") / f"rustok-{hashlib.sha256(os.fsencode(near)).hexdigest()[:16]}"  # noqa: S108  (see private)


def url(data_dir: Path) -> str:
    """Works as it stands with asyncpg and ``psql -d``."""
    return f"postgresql://{USER}@/{DATABASE}?host={quote(str(socket_dir(data_dir)), safe='')}&port={PORT}"


def private(directory: Path, as_whom: Launcher) -> None:
    """Makes it, for the server's user alone. Raises ``FatalExit`` (78) when somebody else's lies there."""
    try:
        directory.mkdir(mode=0o700, parents=True)
        as_whom.own(directory)
    except FileExistsError:
        found = directory.lstat()
        owner = os.geteuid() if as_whom.user is None else as_whom.user
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) & 0o077:
            raise FatalExit(CONFIGURATION, f"{directory} exists and is not a private directory of ours") from None
