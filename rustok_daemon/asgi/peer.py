"""Who is at the other end: what a scope says of client and server."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

_CREDENTIALS = struct.Struct("3i")


Address = tuple[str, int | None]


def describe(sock: socket.socket, address: Any) -> tuple[Address | None, Address, dict[str, Any]]:
    """``client``, ``server`` and ``extensions`` of all requests of a connection.

    On a unix socket ``server`` is ``(path, None)``, as ASGI has it, and ``extensions["rustok.peer"]`` holds uid, gid and
    pid of the process that connected, as the kernel knows them.
    """
    local = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return None, (os.fsdecode(local), None), {"rustok.peer": _credentials(sock)}
    return (address[0], address[1]), (local[0], local[1]), {}


def _credentials(sock: socket.socket) -> dict[str, int]:
    pid, uid, gid = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return {"uid": uid, "gid": gid, "pid": pid}
