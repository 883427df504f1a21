"""What ``[http]`` allows a client, as the server takes it."""

from __future__ import annotations

from rustok_daemon.asgi import Limits
from rustok_daemon.config.sections import HttpSettings


def limits(http: HttpSettings, max_connections: int) -> Limits:
    """``max_connections`` is what the descriptor limit leaves of the setting."""
    return Limits(
        max_body=http.max_body,
        header_timeout=http.header_timeout,
        body_timeout=http.body_timeout,
        keep_alive=http.keep_alive,
        max_connections=max_connections,
    )
