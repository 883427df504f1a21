"""Why a conversation with a client ends early."""

from __future__ import annotations


class ClientDisconnected(OSError):
    """The client is gone, or was cut off: what ``send`` raises from then on, as ASGI asks."""


class ClientTooSlow(ClientDisconnected):
    """The client took nothing of what was written to it for ``write_timeout``."""


class TimedOut(Exception):
    """A read took longer than its limit allows."""


class Woken(Exception):
    """A read was interrupted because what it waited for no longer matters."""


class Refused(Exception):
    """The server answers by itself, with a problem, and closes."""

    def __init__(self, status: int, name: str, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.headers = headers


class ResponseInvalid(RuntimeError):
    """The application sent what must not go out: a bad header, a body other than its Content-Length, a bad status."""


class ProtocolMisuse(RuntimeError):
    """The application sent a message that ASGI does not allow at this point; it is ignored."""
