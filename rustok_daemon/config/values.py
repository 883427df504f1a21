"""One value: from what a file or a variable holds to what a section's field wants."""

from __future__ import annotations

import enum
import ipaddress
import os
import tomllib
import types
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

import msgspec

from .types import Duration, Mode, Secret, Size

_WITH_UNIT = {Duration: "30s", Size: "16MiB"}
_TEXT_TYPES = (str, UUID, Path, Secret, Duration, Size, Mode, ipaddress.IPv4Network, ipaddress.IPv6Network)
_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    UUID: "a UUID",
    Path: "a path",
}


class Wrong(Exception):
    """A value that does not fit; says what would be right, and never shows a secret."""


def convert(kind: Any, value: Any) -> Any:
    """``value`` as ``kind``. Raises ``Wrong``."""
    base, meta = bare(kind)
    if base is Secret:
        if not isinstance(value, str):
            raise Wrong("must be a string")
        return Secret(value)
    if base in _WITH_UNIT:
        return _bounded(_with_unit(base, value), meta)
    if base is Mode:
        return _mode(value)
    if base is Path:
        return Path(_string(value))
    if _is_network(base):
        return _network(value)
    if get_origin(base) in (tuple, list):
        return _sequence(base, value)
    if get_origin(base) is dict:
        return _table(base, value)
    return _by_msgspec(Annotated[(base, *meta)] if meta else base, value, base)


def as_toml(text: str, kind: Any) -> Any:
    """What ``text``, from the environment or ``--set``, says. Raises ``Wrong``."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise Wrong(f"{text!r} is wrong: must be {describe(kind)}, written as in TOML") from error


def as_path(value: Any, base: Path) -> Path:
    """An absolute path; a relative one is relative to ``base``. Raises ``Wrong``."""
    return Path(os.path.normpath(base / os.path.expanduser(_string(value))))


def _with_unit(kind: Any, value: Any) -> Any:
    if not isinstance(value, str):
        raise Wrong(f"{value!r} has no unit: write it as a string, for example {_WITH_UNIT[kind]!r}")
    try:
        return kind.parse(value)
    except ValueError as error:
        raise Wrong(str(error)) from error


def _bounded(value: Any, meta: tuple[Any, ...]) -> Any:
    if any(each.gt is not None and value <= each.gt for each in meta if isinstance(each, msgspec.Meta)):
        raise Wrong(f"'{value}' is wrong: must be more than 0")
    return value


def _mode(value: Any) -> Mode:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o777:
        return Mode(value)
    try:
        return Mode.parse(_string(value))
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


def _table(kind: Any, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong("must be a table")
    _, item = get_args(kind)
    try:
        return {key: each if item is Any else convert(item, each) for key, each in value.items()}
    except Wrong as error:
        raise Wrong(f"each value {error}") from error


def _by_msgspec(kind: Any, value: Any, base: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise Wrong(f"{value!r} is wrong: must be {describe(base)} ({_plain(str(error))})") from error


def _plain(message: str) -> str:
    return message.replace("`", "").split(" - at ")[0]


# -- types -----------------------------------------------------------------------------------------------------------


def without_none(hint: Any) -> Any:
    """``X`` out of ``X | None``."""
    if get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
        rest = [arg for arg in get_args(hint) if arg is not type(None)]
        return rest[0] if len(rest) == 1 else Union[tuple(rest)]  # noqa: UP007  (made at run time)
    return hint


def bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type and its constraints, out of ``Annotated``."""
    kind = without_none(hint)
    if get_origin(kind) is Annotated:
        base, *meta = get_args(kind)
        return base, tuple(meta)
    return kind, ()


def is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def struct_item(kind: Any) -> Any:
    """The struct a list of tables is made of, or ``None``."""
    if get_origin(kind) in (tuple, list) and is_struct(get_args(kind)[0]):
        return get_args(kind)[0]
    return None


def takes_text(kind: Any) -> bool:
    """Whether a raw value is taken as it stands, and not read as TOML."""
    base, _ = bare(kind)
    if base in _TEXT_TYPES or _is_network(base):
        return True
    return _is_choice(base) or (isinstance(base, type) and issubclass(base, enum.Enum))


def describe(kind: Any) -> str:
    """What would be right, in words."""
    base, _ = bare(kind)
    if _is_choice(base):
        return "one of " + ", ".join(str(arg) for arg in get_args(base))
    if get_origin(base) in (tuple, list):
        return "a list"
    if get_origin(base) is dict:
        return "a table"
    if base in _WITH_UNIT:
        return f"a {base.__name__.lower()}, for example {_WITH_UNIT[base]!r}"
    return _NAMES.get(base, "a string")


def _is_choice(kind: Any) -> bool:
    return str(get_origin(kind)) == "typing.Literal"


def _is_network(kind: Any) -> bool:
    networks = {ipaddress.IPv4Network, ipaddress.IPv6Network}
    return kind in networks or set(get_args(kind)) == networks
