"""Configuration: files, environment and ``--set`` become typed sections once, at the edge (contract.md, "Configuration")."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

SectionT = TypeVar("SectionT", bound=msgspec.Struct)


class Configuration(Protocol):
    """What was loaded: frozen, checked, its secrets redacted wherever it is printed."""

    environment: str

    def section(self, kind: type[SectionT]) -> SectionT:
        """The typed section that ``kind`` declares."""
