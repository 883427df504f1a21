"""The listening sockets: bound by the root before the tree starts, lent to the children, closed after they are gone."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rustok_daemon.config.types import parse_address

from . import exit_codes
from .errors import StartRefused
from .resources import ListeningSockets

_BACKLOG = 4096
_UNIX_PATH_LIMIT = 107


@contextmanager
def open_sockets(bind: str, path: Path, mode: int) -> Iterator[ListeningSockets]:
    """Binds ``host:port`` (empty: none) and the unix socket.

    Raises ``StartRefused``: 6 for an address in use, 78 for one that cannot be bound at all.
    """
    with ExitStack() as stack:
        http = tuple(stack.enter_context(sock) for sock in _bind_tcp(bind)) if bind else ()
        control = stack.enter_context(_bind_unix(path, mode))
        stack.callback(path.unlink, missing_ok=True)
        yield ListeningSockets(http=http, control=control)


def _bind_tcp(bind: str) -> list[socket.socket]:
    try:
        host, port = parse_address(bind)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (ValueError, socket.gaierror) as error:
        raise StartRefused(exit_codes.CONFIGURATION, f"http.bind: {error}") from error
    bound: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
            bound.append(_listen(family, address))
    except OSError as error:
        for sock in bound:
            sock.close()
        raise _refused("http.bind", bind, error) from error
    return bound


def _listen(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_unix(path: Path, mode: int) -> socket.socket:
    if len(os.fsencode(path)) > _UNIX_PATH_LIMIT:
        raise StartRefused(
            exit_codes.CONFIGURATION,
            f"http.socket: {path} is longer than the {_UNIX_PATH_LIMIT} bytes a socket may have; name a shorter one",
        )
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sock.bind(os.fspath(path))
        path.chmod(mode)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise _refused("http.socket", os.fspath(path), error) from error
    finally:
        os.umask(before)
    return sock


def _remove_stale(path: Path) -> None:
    """A socket nobody listens on is left over from a daemon that was killed; anything else is not ours to remove."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise StartRefused(exit_codes.CONFIGURATION, f"http.socket: {path} exists and is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise StartRefused(exit_codes.TAKEN, f"http.socket: {path} is in use by another process")


def _refused(key: str, address: str, error: OSError) -> StartRefused:
    if error.errno == errno.EADDRINUSE:
        return StartRefused(exit_codes.TAKEN, f"{key}: {address} is in use by another process")
    return StartRefused(exit_codes.CONFIGURATION, f"{key}: {address} cannot be bound: {error.strerror}")
