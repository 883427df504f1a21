"""Why the daemon could not begin its work."""

from __future__ import annotations


class StartRefused(Exception):
    """The daemon does not start: ``exit_code`` and one line that says why and what would help."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.message = message
