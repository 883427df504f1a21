"""A configuration that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence


class ConfigurationError(Exception):
    """``lines``: one for each thing that is wrong, each with where it stands and what would be right. Exit code 78."""

    exit_code = 78

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)
