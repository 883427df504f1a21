"""PostgreSQL refuses to run as root. Run as a program, this enters a user namespace in which root is an ordinary user.

``python ordinary_user.py COMMAND…``: outside of the namespace everything still belongs to root, so it works below
directories that only root may enter. It stands alone and imports nothing of ours: it is on the path of each start.
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
ORDINARY_ID = 1000
FORBIDDEN = 77


def enter() -> None:
    """Raises ``OSError`` where the kernel or its administrator forbids it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    write("setgroups", "deny")
    write("uid_map", f"{ORDINARY_ID} 0 1")
    write("gid_map", f"{ORDINARY_ID} 0 1")


def write(name: str, text: str) -> None:
    with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    try:
        enter()
    except OSError:
        sys.exit(FORBIDDEN)
    os.execvp(sys.argv[1], sys.argv[1:])
