"""The data directory: made on the first start, and held by one daemon at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import exit_codes
from .errors import StartRefused

_LOCK = "daemon.lock"


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Holds the directory until the end of the block.

    A lock and not a pid file: the kernel lets go of it however the process ends. Raises ``StartRefused``: 6 when
    another daemon holds it, 78 when it cannot be made or written.
    """
    lock = _open_and_lock(directory)
    try:
        yield
    finally:
        release(directory)
        os.close(lock)


def release(directory: Path) -> None:
    """Removes the lock file; the lock itself ends with the process."""
    (directory / _LOCK).unlink(missing_ok=True)


def _open_and_lock(directory: Path) -> int:
    while True:
        lock = _open(directory)
        try:
            _lock(lock, directory)
            if _still_there(lock, directory):
                return lock
        except StartRefused:
            os.close(lock)
            raise
        os.close(lock)


def _still_there(lock: int, directory: Path) -> bool:
    """Its last holder may have removed the file between our open and our lock: then it is a lock on nothing."""
    try:
        return os.path.samestat(os.fstat(lock), os.stat(directory / _LOCK))
    except FileNotFoundError:
        return False


def _open(directory: Path) -> int:
    try:
        directory.mkdir(mode=_mode(), parents=True, exist_ok=True)
        return os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartRefused(
            exit_codes.CONFIGURATION,
            f"daemon.data_dir: {directory} cannot be used: {error.strerror}; name a directory this user may write",
        ) from error


def _mode() -> int:
    """Root's lets others pass, not look: the embedded servers may have to run as somebody else below it."""
    return 0o711 if os.geteuid() == 0 else 0o700


def _lock(lock: int, directory: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise StartRefused(
            exit_codes.TAKEN, f"daemon.data_dir: {directory} is in use by another rustok-daemon (pid {holder})"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
