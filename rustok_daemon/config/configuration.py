"""What was loaded: typed sections, frozen, their secrets redacted wherever they are printed."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from .types import Duration, Mode, Secret, Size

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
        overlays: Mapping[str, Any] | None = None,
    ) -> None:
        self.environment = environment
        self.files = files
        self.actors = dict(actors)
        self._sections = dict(sections)
        self._names = dict(names)
        self._origins = dict(origins)
        self._overlays = dict(overlays or {})

    def of_child(self, id: str) -> Configuration:
        """As the child ``id`` sees it: with its ``options`` laid over its section."""
        overlay = self._overlays.get(id)
        if overlay is None:
            return self
        sections = {**self._sections, type(overlay): overlay}
        return Configuration(
            self.environment, self.files, sections, self._names, self.actors, self._origins, self._overlays
        )

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
        shown = {name: plain(self._sections[kind]) for name, kind in sorted(self._names.items())}
        for child in _below(shown.get("supervisor", {})):
            overlay = self._overlays.get(child["id"])
            child["options"] = {} if overlay is None else _like(child["options"], plain(overlay))
        return shown

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


def _below(supervisor: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for child in supervisor.get("children", ()):
        yield child
        yield from _below(child)


def _like(given: Any, checked: Any) -> Any:
    """The keys that were given, with what became of them: a secret among them is known as one only there."""
    if not isinstance(given, dict):
        return checked
    return {key: _like(each, checked[key]) for key, each in given.items()}


def plain(value: Any) -> Any:
    """As JSON could hold it."""
    if isinstance(value, msgspec.Struct):
        return {field.encode_name: plain(getattr(value, field.name)) for field in msgspec.structs.fields(value)}
    if isinstance(value, Secret):
        return "***" if value else ""
    if isinstance(value, Duration | Size | Mode | UUID | Path | ipaddress.IPv4Network | ipaddress.IPv6Network):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
