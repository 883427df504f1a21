"""A server in a process of its own: ``python -m tests.asgi.asgi_idle_server`` prints its port and serves until killed."""

from __future__ import annotations

import resource
import socket

import trio

from rustok_daemon.asgi import serve
from tests.asgi.asgi_apps import hello


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(listener.getsockname()[1], flush=True)
    trio.run(serve, hello, [listener])


if __name__ == "__main__":
    main()
