"""What a client may ask of the server (contract.md, section ``http``)."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes and seconds. A deadline is kept to within ``resolution`` seconds, and never missed early."""

    max_head: int = 32 << 10
    """Of a request line and its headers together."""
    max_body: int = 16 << 20
    max_message: int = 1 << 20
    """Of one WebSocket message; a larger one closes with 1009."""
    header_timeout: float = 10.0
    """From the first byte of a head to its last."""
    body_timeout: float = 30.0
    """Between two reads of a body."""
    write_timeout: float = 120.0
    """How long a client may read nothing of what it is sent. The kernel tells of its reading in large steps only: a reader
    of 1 kB/s on this machine seems to stand still for a minute."""
    keep_alive: float = 75.0
    """How long a connection may wait for the first byte of a request."""
    close_timeout: float = 2.0
    """How long a closed connection may go on sending before it is reset, and a WebSocket's closing handshake may take."""
    max_connections: int = 12_000

    @property
    def resolution(self) -> float:
        """How often deadlines are looked at."""
        shortest = min(self.header_timeout, self.body_timeout, self.write_timeout, self.keep_alive, self.close_timeout)
        return min(0.5, max(0.01, shortest / 4))
