"""Turns merged values into typed sections, and gathers everything that is wrong on the way."""

from __future__ import annotations

import difflib
import enum
import ipaddress
import os
import re
import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from .sources import KeyPath, Leaf, Origin, Tree
from .types import Duration, Secret, Size

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_TEXT_TYPES = (str, Path, Secret, Duration, Size, ipaddress.IPv4Network, ipaddress.IPv6Network)
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a string", Path: "a path"}


class Wrong(Exception):
    """A value that does not fit; says what would be right."""


class Checker:
    """Reads one tree of values. ``lines`` are the errors found so far; ``origins`` says where each value came from."""

    def __init__(self, environment: Mapping[str, str], environment_name: str) -> None:
        self.lines: list[str] = []
        self.origins: dict[str, str] = {}
        self._environment = environment
        self._environment_name = environment_name

    def section(self, kind: type[Any], tree: Any, path: KeyPath, where: str) -> Any:
        """A struct of ``kind``, or ``None`` when something in it is wrong."""
        if not isinstance(tree, dict):
            self._add(tree.origin.where(tree.path) if isinstance(tree, Leaf) else where, path, "must be a table")
            return None
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        hints = get_type_hints(kind, include_extras=True)
        before = len(self.lines)
        values: dict[str, Any] = {}
        for key, value in tree.items():
            if key not in fields:
                self._unknown(key, value, path, fields, where)
                continue
            values[fields[key].name] = self._value(hints[fields[key].name], value, (*path, key), where)
        self._missing(fields, tree, path, where)
        if len(self.lines) > before:
            return None
        made = kind(**values)
        self._problems(made, tree, path, where)
        return made

    def unknown_section(self, key: str, value: Any, known: Sequence[str]) -> None:
        self._add(_where(value), (key,), f"there is no such section{_suggest(key, known)}")

    # -- one table -----------------------------------------------------------------------------------------------

    def _unknown(self, key: str, value: Any, path: KeyPath, fields: Mapping[str, Any], where: str) -> None:
        self._add(_where(value) or where, (*path, key), f"unknown key{_suggest(key, list(fields))}")

    def _missing(self, fields: Mapping[str, Any], tree: Tree, path: KeyPath, where: str) -> None:
        for key, field in fields.items():
            if field.required and key not in tree:
                self._add(_where(tree) or where, path, f"{key} is missing")

    def _problems(self, made: Any, tree: Tree, path: KeyPath, where: str) -> None:
        problems = getattr(made, "problems", None)
        if problems is None:
            return
        for key, what in problems(self._environment_name):
            here: Any = tree
            for part in key.split("."):
                here = here.get(part, here) if isinstance(here, dict) else here
            self._add(_where(here) or where, (*path, *key.split(".")), what)

    def _add(self, where: str, path: KeyPath, what: str) -> None:
        line = f"{where or 'configuration'}: {dotted(path)}: {what}"
        if line not in self.lines:
            self.lines.append(line)

    # -- one value -----------------------------------------------------------------------------------------------

    def _value(self, hint: Any, value: Any, path: KeyPath, where: str) -> Any:
        kind, optional = _without_none(hint)
        if _is_struct(kind):
            return self.section(kind, value, path, where)
        if (item := _struct_item(kind)) is not None:
            return self._tables(item, value, path, where)
        if isinstance(value, dict) and get_origin(kind) is dict:
            value = _collapse(value)
        if not isinstance(value, Leaf):
            self._add(_where(value) or where, path, f"must be {_describe(kind)}, not a table")
            return None
        self.origins[dotted(path)] = value.origin.name
        try:
            return self._read(kind, value, optional)
        except Wrong as error:
            self._add(value.origin.where(value.path), path, str(error))
        return None

    def _tables(self, item: type[Any], value: Any, path: KeyPath, where: str) -> Any:
        if isinstance(value, Leaf) and value.value == []:
            return ()
        if not isinstance(value, list):
            self._add(_where(value) or where, path, "must be a list of tables")
            return ()
        return tuple(
            self.section(item, each, (*path, index), _where(each) or where) for index, each in enumerate(value)
        )

    def _read(self, kind: Any, leaf: Leaf, optional: bool) -> Any:
        given = self._resolved(leaf)
        base, _ = _bare(kind)
        if leaf.origin.raw and not _takes_text(base):
            given = _as_toml(given, kind)
        if base is Path:
            return _path(given, leaf.origin)
        return convert(kind, given)

    def _resolved(self, leaf: Leaf) -> Any:
        """With ``${VAR}`` filled in, and what ``{file = …}`` and ``{credential = …}`` point to."""
        value = leaf.value
        if isinstance(value, dict):
            return self._referenced(value, leaf.origin)
        if isinstance(value, list):
            return [self._filled(item) if isinstance(item, str) else item for item in value]
        return self._filled(value) if isinstance(value, str) else value

    def _referenced(self, value: dict[str, Any], origin: Origin) -> Any:
        if set(value) == {"file"}:
            path = origin.base / str(value["file"])
        elif set(value) == {"credential"}:
            directory = self._environment.get("CREDENTIALS_DIRECTORY")
            name = str(value["credential"])
            if not directory:
                raise Wrong("a credential is asked for, but $CREDENTIALS_DIRECTORY is not set")
            if "/" in name or name in ("", ".", ".."):
                raise Wrong(f"{name!r} is not the name of a credential")
            path = Path(directory) / name
        else:
            return value
        try:
            return path.read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Wrong(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error

    def _filled(self, text: str) -> str:
        def fill(match: re.Match[str]) -> str:
            value = self._environment.get(match[1], match[2])
            if value is None:
                raise Wrong(f"${{{match[1]}}} is not set; set it, or write ${{{match[1]}:-default}}")
            return value

        return _VARIABLE.sub(fill, text)


def convert(kind: Any, value: Any) -> Any:
    """``value`` as ``kind``. Raises ``Wrong``; its text never shows a secret."""
    base, meta = _bare(kind)
    if base is Secret:
        if not isinstance(value, str):
            raise Wrong("must be a string")
        return Secret(value)
    if base in (Duration, Size):
        return _with_unit(base, value)
    if base is Path:
        return Path(_string(value))
    if _is_network(base):
        return _network(value)
    if get_origin(base) in (tuple, list):
        return _sequence(base, value)
    return _by_msgspec(Annotated[(base, *meta)] if meta else base, value, base)


def _with_unit(kind: Any, value: Any) -> Any:
    if not isinstance(value, str):
        example = "30s" if kind is Duration else "16MiB"
        raise Wrong(f"{value!r} has no unit: write it as a string, for example {example!r}")
    try:
        return kind.parse(value)
    except ValueError as error:
        raise Wrong(str(error)) from error


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong(f"must be a string, not {value!r}")
    return value


def _network(value: Any) -> Any:
    try:
        return ipaddress.ip_network(_string(value))
    except ValueError as error:
        raise Wrong(f"{value!r} is not a network: write for example '10.0.0.0/8' ({error})") from error


def _sequence(kind: Any, value: Any) -> Any:
    if not isinstance(value, list):
        raise Wrong(f"must be a list, not {value!r}")
    item = get_args(kind)[0]
    return tuple(convert(item, each) for each in value)


def _by_msgspec(kind: Any, value: Any, base: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise Wrong(f"{value!r} is wrong: must be {_describe(base)} ({_plain(str(error))})") from error


def _plain(message: str) -> str:
    return message.replace("`", "").split(" - at ")[0]


def _path(value: Any, origin: Origin) -> Path:
    path = Path(os.path.expanduser(_string(value)))
    return path if path.is_absolute() else Path(os.path.normpath(origin.base / path))


def _as_toml(text: str, kind: Any) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise Wrong(f"{text!r} is wrong: must be {_describe(_bare(kind)[0])}, written as in TOML") from error


# -- types -----------------------------------------------------------------------------------------------------------


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
        rest = [arg for arg in get_args(hint) if arg is not type(None)]
        return (rest[0] if len(rest) == 1 else Union[tuple(rest)]), True  # noqa: UP007  (made at run time)
    return hint, False


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    kind, _ = _without_none(hint)
    if get_origin(kind) is Annotated:
        base, *meta = get_args(kind)
        return base, tuple(meta)
    return kind, ()


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _struct_item(kind: Any) -> Any:
    if get_origin(kind) in (tuple, list) and _is_struct(get_args(kind)[0]):
        return get_args(kind)[0]
    return None


def _is_network(kind: Any) -> bool:
    return kind in (ipaddress.IPv4Network, ipaddress.IPv6Network) or set(get_args(kind)) == {
        ipaddress.IPv4Network,
        ipaddress.IPv6Network,
    }


def _takes_text(kind: Any) -> bool:
    if kind in _TEXT_TYPES or _is_network(kind):
        return True
    return str(get_origin(kind)) == "typing.Literal" or (isinstance(kind, type) and issubclass(kind, enum.Enum))


def _describe(kind: Any) -> str:
    base, _ = _bare(kind)
    if str(get_origin(base)) == "typing.Literal":
        return "one of " + ", ".join(str(arg) for arg in get_args(base))
    if get_origin(base) in (tuple, list):
        return "a list"
    if get_origin(base) is dict:
        return "a table"
    if base is Duration:
        return "a duration, for example '30s'"
    if base is Size:
        return "a size, for example '16MiB'"
    return _NAMES.get(base, "a string")


# -- places ----------------------------------------------------------------------------------------------------------


def dotted(path: KeyPath) -> str:
    """``supervisor.children[2].id``."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else (f".{key}" if text else str(key))
    return text


def _where(value: Any) -> str:
    """Where the first value below ``value`` stands."""
    if isinstance(value, Leaf):
        return value.origin.where(value.path)
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for each in below if (found := _where(each))), "")


def _collapse(tree: Tree) -> Any:
    """A table that is itself a value."""
    plain = {key: value.value if isinstance(value, Leaf) else _collapse(value).value for key, value in tree.items()}
    first = next((leaf for leaf in tree.values() if isinstance(leaf, Leaf)), None)
    return Leaf(plain, first.origin, first.path[:-1]) if first is not None else Leaf({}, Origin("", Path(), False), ())


def _suggest(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}"
