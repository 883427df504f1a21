"""What this room raises beside ``Problem``, which is in ``call``."""

from __future__ import annotations


class BadRoute(Exception):
    """Two routes answer the same request, or one declares what cannot be served."""


class TokensUnavailable(Exception):
    """Whether a token is good cannot be told now; asking again in ``retry_after`` seconds may help."""

    def __init__(self, reason: str, retry_after: int = 1) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ClientLeft(Exception):
    """The client went away, or was sent away by the server, while its body was read: nobody waits for an answer."""
