"""Turns merged values into typed sections, and gathers everything that is wrong on the way."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import msgspec

from .sources import KeyPath, Leaf, Origin, Tree
from .values import Wrong, as_path, as_toml, bare, convert, describe, is_struct, struct_item, takes_text, without_none

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Checker:
    """Reads one tree of values. ``lines`` are the errors found so far; ``origins`` says where each value came from."""

    def __init__(self, environment: Mapping[str, str], environment_name: str) -> None:
        self.lines: list[str] = []
        self.origins: dict[str, str] = {}
        self._environment = environment
        self._environment_name = environment_name

    def section(self, kind: type[Any], tree: Any, path: KeyPath, where: str = "") -> Any:
        """A struct of ``kind``, or ``None`` when something in it is wrong."""
        if not isinstance(tree, dict):
            self.add(where_of(tree) or where, path, "must be a table")
            return None
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        hints = get_type_hints(kind, include_extras=True)
        before = len(self.lines)
        values: dict[str, Any] = {}
        for key, value in tree.items():
            if key in fields:
                values[fields[key].name] = self._value(hints[fields[key].name], value, (*path, key), where)
            else:
                self.add(where_of(value) or where, (*path, key), f"unknown key{_suggest(key, list(fields))}")
        self._missing(fields, tree, path, where)
        if len(self.lines) > before:
            return None
        made = kind(**values)
        self._problems(made, tree, path, where)
        return made

    def unknown_section(self, key: str, value: Any, known: Sequence[str]) -> None:
        self.add(where_of(value), (key,), f"there is no such section{_suggest(key, known)}")

    def add(self, where: str, path: KeyPath, what: str) -> None:
        """One error: where it stands, the key, and what would be right."""
        self.say(f"{where or 'configuration'}: {dotted(path)}: {what}")

    def say(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)

    # -- one table -----------------------------------------------------------------------------------------------

    def _missing(self, fields: Mapping[str, Any], tree: Tree, path: KeyPath, where: str) -> None:
        for key, field in fields.items():
            if field.required and key not in tree:
                self.add(where_of(tree) or where, path, f"{key} is missing")

    def _problems(self, made: Any, tree: Tree, path: KeyPath, where: str) -> None:
        """What the struct itself finds wrong, at the value it names."""
        problems = getattr(made, "problems", None)
        for key, what in () if problems is None else problems(self._environment_name):
            keys = _keys(key)
            self.add(where_of(_nearest(tree, keys)) or where, (*path, *keys), what)

    # -- one value -----------------------------------------------------------------------------------------------

    def _value(self, hint: Any, value: Any, path: KeyPath, where: str) -> Any:
        kind = without_none(hint)
        if is_struct(kind):
            return self.section(kind, value, path, where)
        if (item := struct_item(kind)) is not None:
            return self._tables(item, value, path, where)
        if isinstance(value, dict) and get_origin(kind) is dict:
            value = _collapse(value)
        if not isinstance(value, Leaf):
            self.add(where_of(value) or where, path, f"must be {describe(kind)}, not a table")
            return None
        self.origins[dotted(path)] = value.origin.name
        try:
            return self._read(kind, value)
        except Wrong as error:
            self.add(where_of(value), path, str(error))
        return None

    def _tables(self, item: type[Any], value: Any, path: KeyPath, where: str) -> Any:
        if isinstance(value, Leaf) and value.value == []:
            return ()
        if not isinstance(value, list):
            self.add(where_of(value) or where, path, "must be a list of tables")
            return ()
        return tuple(self.section(item, each, (*path, index), where) for index, each in enumerate(value))

    def _read(self, kind: Any, leaf: Leaf) -> Any:
        given = self._filled(leaf.value, leaf.origin.base)
        if leaf.origin.raw and not takes_text(kind):
            given = as_toml(given, kind)
        return as_path(given, leaf.origin.base) if bare(kind)[0] is Path else convert(kind, given)

    def _filled(self, value: Any, base: Path) -> Any:
        """With ``${VAR}`` filled in, and what ``{file = …}`` and ``{credential = …}`` point to."""
        if isinstance(value, str):
            return _VARIABLE.sub(self._variable, value)
        if isinstance(value, list):
            return [self._filled(item, base) for item in value]
        if isinstance(value, dict):
            reference = self._reference(value, base)
            if reference is None:
                return {key: self._filled(item, base) for key, item in value.items()}
            return _contents(reference)
        return value

    def _variable(self, match: re.Match[str]) -> str:
        value = self._environment.get(match[1], match[2])
        if value is None:
            raise Wrong(f"${{{match[1]}}} is not set; set it, or write ${{{match[1]}:-default}}")
        return value

    def _reference(self, value: dict[str, Any], base: Path) -> Path | None:
        if value.keys() == {"file"}:
            return as_path(value["file"], base)
        if value.keys() != {"credential"}:
            return None
        directory, name = self._environment.get("CREDENTIALS_DIRECTORY"), str(value["credential"])
        if not directory:
            raise Wrong("a credential is asked for, but $CREDENTIALS_DIRECTORY is not set: systemd sets it")
        if "/" in name or name in ("", ".", ".."):
            raise Wrong(f"{name!r} is not the name of a credential: write the one LoadCredential= gives")
        return Path(directory) / name


def _contents(path: Path) -> str:
    """A line break at the end is the editor's."""
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


# -- places ----------------------------------------------------------------------------------------------------------


def dotted(path: KeyPath) -> str:
    """``supervisor.children[2].id``."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else (f".{key}" if text else str(key))
    return text


def where_of(value: Any) -> str:
    """Where the first value at or below ``value`` stands."""
    if isinstance(value, Leaf):
        return value.origin.where(value.path)
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for each in below if (found := where_of(each))), "")


def _keys(text: str) -> KeyPath:
    """``children.2.id`` as a struct's ``problems`` says it."""
    return tuple(int(part) if part.isdigit() else part for part in text.split("."))


def _nearest(tree: Any, keys: KeyPath) -> Any:
    """What stands at ``keys``, or as near to it as anything does."""
    for key in keys:
        if isinstance(tree, dict):
            tree = tree.get(key, tree)
        elif isinstance(tree, list) and isinstance(key, int):
            tree = tree[key]
    return tree


def _collapse(tree: Tree) -> Leaf:
    """A table that is itself a value."""
    first = _first_leaf(tree)
    if first is None:
        return Leaf({}, Origin("configuration", Path.cwd(), raw=False), ())
    return Leaf(_plain(tree), first.origin, first.path[:-1])


def _first_leaf(value: Any) -> Leaf | None:
    if isinstance(value, Leaf):
        return value
    below = value.values() if isinstance(value, dict) else value
    return next((found for each in below if (found := _first_leaf(each)) is not None), None)


def _plain(value: Any) -> Any:
    if isinstance(value, Leaf):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value]


def _suggest(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}"
