"""As whom the embedded server runs: as ourselves, or, for root, as somebody PostgreSQL accepts."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from rustok_daemon.supervision.errors import FatalExit

from . import ordinary_user
from .binaries import CONFIGURATION, program

_CANDIDATES = ("postgres", "nobody")
_ENTER = (sys.executable, "-I", "-S", ordinary_user.__file__)


class Launcher(msgspec.Struct, frozen=True, kw_only=True):
    """``prefix`` goes before the command; ``user`` and ``group`` are changed to, if given."""

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def command(self, words: Sequence[str]) -> list[str]:
        return [*self.prefix, *words]

    def own(self, path: Path) -> None:
        """Gives a path of ours to the user the server runs as."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)


def choose(data_dir: Path) -> Launcher:
    """Raises ``FatalExit`` (78) naming the directory, of data or of programs, that the unprivileged user cannot reach.

    Blocks for some milliseconds.
    """
    if os.geteuid() != 0:
        return Launcher()
    if subprocess.run([*_ENTER, "/bin/true"], check=False, timeout=10).returncode == 0:
        return Launcher(prefix=_ENTER)
    user = _unprivileged()
    for directory in (data_dir, *data_dir.parents, *Path(program("postgres")).parents):
        if not directory.stat().st_mode & stat.S_IXOTH:
            raise FatalExit(
                CONFIGURATION,
                f"embedded PostgreSQL: user namespaces are forbidden here and {user.pw_name!r}, as whom it would run, may "
                f"not enter {directory}; run the daemon as an ordinary user or give database.url",
            )
    return Launcher(user=user.pw_uid, group=user.pw_gid)


def _unprivileged() -> pwd.struct_passwd:
    for name in _CANDIDATES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise FatalExit(CONFIGURATION, "PostgreSQL cannot run as root and there is no user postgres or nobody")
