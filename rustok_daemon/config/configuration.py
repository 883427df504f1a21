"""What was loaded: typed sections, frozen, their secrets redacted wherever they are printed."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .types import Duration, Secret, Size

SectionT = TypeVar("SectionT", bound=msgspec.Struct)


class Configuration:
    """Made by ``load``. ``actors`` maps a child's id to the class its ``start`` names, in tree order."""

    def __init__(
        self,
        environment: str,
        files: tuple[Path, ...],
        sections: Mapping[type[Any], Any],
        names: Mapping[str, type[Any]],
        actors: Mapping[str, type[Any]],
        origins: Mapping[str, str],
    ) -> None:
        self.environment = environment
        self.files = files
        self.actors = dict(actors)
        self._sections = dict(sections)
        self._names = dict(names)
        self._origins = dict(origins)

    def section(self, kind: type[SectionT]) -> SectionT:
        """The typed section that ``kind`` declares. A struct that no section declares comes with its defaults."""
        found = self._sections.get(kind)
        if found is None:
            return kind()
        section: SectionT = found
        return section

    def origin(self, path: str) -> str:
        """Where ``section.key`` got its value: a file, a variable, ``--set``, or ``default``."""
        return self._origins.get(path, "default")

    def dump(self) -> dict[str, Any]:
        """Every section and key as plain data; a secret is ``"***"``, or empty where it is empty."""
        return {name: plain(self._sections[kind]) for name, kind in sorted(self._names.items())}

    def diff(self, other: Configuration) -> list[str]:
        """The paths whose values differ in ``other``; secrets are compared, never shown."""
        ours, theirs = self._flat(), other._flat()
        return sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path))

    def _flat(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, kind in self._names.items():
            _flatten(self._sections[kind], name, found)
        return found


def _flatten(value: Any, path: str, into: dict[str, Any]) -> None:
    if isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            _flatten(getattr(value, field.name), f"{path}.{field.encode_name}", into)
    else:
        into[path] = value


def plain(value: Any) -> Any:
    """As JSON could hold it."""
    if isinstance(value, msgspec.Struct):
        return {field.encode_name: plain(getattr(value, field.name)) for field in msgspec.structs.fields(value)}
    if isinstance(value, Secret):
        return "***" if value else ""
    if isinstance(value, Duration | Size | Path | ipaddress.IPv4Network | ipaddress.IPv6Network):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
