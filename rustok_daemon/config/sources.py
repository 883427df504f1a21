"""Where values come from: files, the environment, ``--set``; merged, with the origin of each kept."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .errors import ConfigurationError

PREFIX = "RUSTOK_"
_ALIASES = {"RUSTOK_EVENT_TRANSPORT": "events.transport"}
"""Names RusToK's servers use; taken only where the section is there."""

KeyPath = tuple[str | int, ...]


class Origin(msgspec.Struct, frozen=True):
    """Where one value stands. ``base`` is what a relative path in it is relative to."""

    name: str
    base: Path
    raw: bool
    """From the environment or ``--set``: a string that is still to be read."""
    text: str = ""
    """A file's text, to find the line in."""

    def where(self, path: KeyPath) -> str:
        """``supervisor.toml:12``, ``RUSTOK_A__B`` or ``--set a.b``."""
        return f"{self.name}:{line_of(self.text, path)}" if self.text else self.name


class Leaf(msgspec.Struct, frozen=True):
    """One value and where it came from."""

    value: Any
    origin: Origin
    path: KeyPath
    """The path within its own source, for the line."""


Tree = dict[str, Any]
"""Nested dictionaries of ``Leaf``; lists of tables are lists of such dictionaries."""


def read_file(path: Path, base: Path) -> Tree:
    """``base`` is what relative paths in it are relative to.

    Raises ``ConfigurationError`` for a file that cannot be read or is no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path}: cannot be read: it is not UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([_syntax_error(path, text, str(error))]) from error
    return leaves_of(document, Origin(str(path), base, raw=False, text=text), ())


def _syntax_error(path: Path, text: str, message: str) -> str:
    """What is never closed is noticed only at the end: then the statement that began it is named."""
    what, _, where = message.partition(" (at ")
    line = where.removeprefix("line ").split(",")[0] if where.startswith("line ") else _first_unread(text)
    return f"{path}:{line}: not TOML: {what}"


def _first_unread(text: str) -> int:
    lines = text.splitlines()
    read = max((end for end in range(len(lines)) if _parsed(lines[:end]) is not None), default=0)
    return _first_statement(lines, read, len(lines))


def leaves_of(table: Mapping[str, Any], origin: Origin, path: KeyPath) -> Tree:
    return {key: _leaf(value, origin, (*path, key)) for key, value in table.items()}


def _leaf(value: Any, origin: Origin, path: KeyPath) -> Any:
    if isinstance(value, dict) and not _is_reference(value):
        return leaves_of(value, origin, path)
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return [leaves_of(item, origin, (*path, index)) for index, item in enumerate(value)]
    return Leaf(value, origin, path)


def _is_reference(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in ("file", "credential")


class Override(msgspec.Struct, frozen=True):
    """A value from outside the files: its variable or option, its path, its text."""

    name: str
    path: KeyPath
    text: str
    optional: bool = False
    """An alias: left alone where its section is not there."""


def environment_values(environment: Mapping[str, str]) -> Iterator[Override]:
    """Each ``RUSTOK_<SECTION>__<KEY>``, and before them the aliases."""
    for name, alias in _ALIASES.items():
        if name in environment:
            yield Override(name, tuple(alias.split(".")), environment[name], optional=True)
    for name, text in sorted(environment.items()):
        if name.startswith(PREFIX) and "__" in name:
            yield Override(name, tuple(name.removeprefix(PREFIX).lower().split("__")), text)


def option_values(settings: Sequence[str]) -> list[Override]:
    """Each ``--set section.key=value``. Raises ``ConfigurationError`` for those that are not of this form."""
    found = [_option_value(setting) for setting in settings]
    wrong = [setting for setting, each in zip(settings, found, strict=True) if each is None]
    if wrong:
        raise ConfigurationError([f"--set {setting}: write --set section.key=value" for setting in wrong])
    return [each for each in found if each is not None]


def _option_value(setting: str) -> Override | None:
    key, separator, text = setting.partition("=")
    path = tuple(key.split("."))
    return Override(f"--set {key}", path, text) if separator and len(path) > 1 and all(path) else None


def put(tree: Tree, override: Override) -> None:
    """Places a raw value; what it replaces is gone."""
    here = tree
    for key in override.path[:-1]:
        below = here.setdefault(str(key), {})
        if not isinstance(below, dict):
            below = here[str(key)] = {}
        here = below
    here[str(override.path[-1])] = Leaf(override.text, Origin(override.name, Path.cwd(), raw=True), override.path)


def merge(base: Tree, over: Tree) -> Tree:
    """Tables are merged key by key; lists of tables with an ``id`` by it, in the base's order, new ones at the end."""
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = merge(before, value)
        elif isinstance(before, list) and isinstance(value, list) and _have_ids(before) and _have_ids(value):
            merged[key] = _merge_by_id(before, value)
        else:
            merged[key] = value
    return merged


def _have_ids(tables: list[Any]) -> bool:
    return all(isinstance(table, dict) and isinstance(table.get("id"), Leaf) for table in tables)


def _merge_by_id(base: list[Tree], over: list[Tree]) -> list[Tree]:
    merged = {table["id"].value: table for table in base}
    for table in over:
        id = table["id"].value
        merged[id] = merge(merged[id], table) if id in merged else table
    return list(merged.values())


def line_of(text: str, path: KeyPath) -> int:
    """The line on which the statement stands that gives ``path`` its value.

    ``tomllib`` keeps no positions. But the first prefix of the lines that parses and holds the path ends with that
    statement, and it began after the longest shorter prefix that parsed.
    """
    lines = text.splitlines()
    began = 0
    for end in range(1, len(lines) + 1):
        document = _parsed(lines[:end])
        if document is None:
            continue
        if _holds(document, path):
            return _first_statement(lines, began, end)
        began = end
    return len(lines) or 1


def _parsed(lines: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines) + "\n")
    except tomllib.TOMLDecodeError:
        return None


def _first_statement(lines: list[str], began: int, end: int) -> int:
    """Past blank lines and comments in front of a statement of several lines."""
    for number in range(began, end):
        stripped = lines[number].strip()
        if stripped and not stripped.startswith("#"):
            return number + 1
    return end


def _holds(document: Any, path: KeyPath) -> bool:
    here = document
    for key in path:
        if isinstance(key, int):
            if not isinstance(here, list) or len(here) <= key:
                return False
            here = here[key]
        elif not isinstance(here, dict) or key not in here:
            return False
        else:
            here = here[key]
    return True
