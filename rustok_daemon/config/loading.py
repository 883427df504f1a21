"""From the command line's options to a checked configuration."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from .checking import Checker
from .configuration import Configuration
from .errors import ConfigurationError
from .sections import ENGINE_SECTIONS, ChildSettings, DaemonSettings, HttpSettings, SupervisorSettings, walk
from .sources import KeyPath, Leaf, Tree, environment_values, merge, put, read_file

PACKAGED = Path(__file__).parent.parent / "supervisor.toml"
CHECKED_IN = PACKAGED.parent.parent / "supervisor.toml"
_SEARCH = (Path("supervisor.toml"), Path("/etc/rustok/supervisor.toml"))


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says: ``--config``, ``--env``, ``--set`` (each ``section.key=value``), ``--socket``."""

    config: Path | None = None
    environment: str | None = None
    settings: tuple[str, ...] = ()
    socket: Path | None = None


def load(options: LoadOptions, environment: Mapping[str, str] | None = None) -> Configuration:
    """Reads and checks everything. Raises ``ConfigurationError`` with all that is wrong, a line each."""
    variables = os.environ if environment is None else environment
    name = options.environment or variables.get("RUSTOK_ENV") or variables.get("LOCO_ENV") or "development"
    files = _files(options, variables, name)
    tree: Tree = {}
    for file in files:
        tree = merge(tree, read_file(file))
    if files[0] in (PACKAGED, CHECKED_IN) and options.config is None:
        _rebase(tree, Path.cwd())
    checker = Checker(variables, name)
    supervisor, actors = _children(tree, checker)
    kinds = _kinds(actors)
    _overrides(tree, options, variables, kinds, checker)
    if any(key == "supervisor" for key in _touched(options, variables)):
        supervisor, actors = _children(tree, checker)
        kinds = _kinds(actors)
    sections = _sections(tree, kinds, checker, name)
    if checker.lines:
        raise ConfigurationError(checker.lines)
    sections[SupervisorSettings] = supervisor
    _settle_socket(sections, options)
    return Configuration(name, files, sections, kinds, actors, checker.origins)


def find_file(options: LoadOptions, variables: Mapping[str, str]) -> Path:
    """``--config``, ``RUSTOK_CONFIG``, ``./supervisor.toml``, ``/etc/rustok/supervisor.toml``, then the packaged tree."""
    given = options.config or (Path(variables["RUSTOK_CONFIG"]) if variables.get("RUSTOK_CONFIG") else None)
    if given is not None:
        if not given.is_file():
            raise ConfigurationError([f"{given}: there is no such file; --config or RUSTOK_CONFIG names it"])
        return given
    return next((path for path in (*_SEARCH, PACKAGED, CHECKED_IN) if path.is_file()), PACKAGED)


def _files(options: LoadOptions, variables: Mapping[str, str], name: str) -> tuple[Path, ...]:
    first = find_file(options, variables)
    beside = (first.with_name(f"supervisor.{name}.toml"), first.with_name("supervisor.local.toml"))
    return (first, *(path for path in beside if path.is_file()))


def _rebase(tree: Any, base: Path) -> None:
    """The packaged tree's relative paths are relative to where the daemon is started."""
    for key, value in list(tree.items()) if isinstance(tree, dict) else ():
        if isinstance(value, Leaf):
            tree[key] = msgspec.structs.replace(value, origin=msgspec.structs.replace(value.origin, base=base))
        else:
            for each in value if isinstance(value, list) else (value,):
                _rebase(each, base)


def _children(tree: Tree, checker: Checker) -> tuple[SupervisorSettings | None, dict[str, type[Any]]]:
    """The tree's children and the classes they name; what is wrong with them is among the errors."""
    supervisor = checker.section(SupervisorSettings, tree.get("supervisor", {}), ("supervisor",), "")
    actors: dict[str, type[Any]] = {}
    if supervisor is not None:
        for child in walk(supervisor.children):
            if child.start is not None and (kind := _import(child, tree, checker)) is not None:
                actors[child.id] = kind
    return supervisor, actors


def _import(child: ChildSettings, tree: Tree, checker: Checker) -> type[Any] | None:
    module, _, name = (child.start or "").partition(":")
    where = _where_started(tree.get("supervisor", {}).get("children", []), child.id)
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        checker.lines.append(f"{where}: child {child.id!r}: {child.start!r} cannot be imported: {error}")
    except AttributeError:
        checker.lines.append(f"{where}: child {child.id!r}: {module} has no class {name!r}")
    else:
        if isinstance(found, type) and hasattr(found, "from_configuration"):
            return found
        checker.lines.append(f"{where}: child {child.id!r}: {child.start!r} is not an actor class")
    return None


def _where_started(children: Any, id: str) -> str:
    for table in children if isinstance(children, list) else ():
        start = table.get("start")
        if isinstance(table.get("id"), Leaf) and table["id"].value == id and isinstance(start, Leaf):
            return start.origin.where(start.path)
        if found := _where_started(table.get("children", []), id):
            return found
    return ""


def _kinds(actors: Mapping[str, type[Any]]) -> dict[str, type[Any]]:
    """Section name to struct: the engine's, and those the tree's actors declare."""
    declared = {kind.section: kind.Settings for kind in actors.values() if kind.section is not None}
    return {**declared, **ENGINE_SECTIONS}


def _touched(options: LoadOptions, variables: Mapping[str, str]) -> set[str]:
    names = {str(path[0]) for _, path, _ in environment_values(variables, {})}
    return names | {setting.partition(".")[0] for setting in options.settings}


def _overrides(
    tree: Tree, options: LoadOptions, variables: Mapping[str, str], kinds: Mapping[str, Any], checker: Checker
) -> None:
    for name, path, text in environment_values(variables, kinds):
        put(tree, path, text, name)
    for setting in options.settings:
        key, separator, text = setting.partition("=")
        keys: KeyPath = tuple(key.split("."))
        if not separator or len(keys) < 2 or not all(keys):
            checker.lines.append(f"--set {setting}: write --set section.key=value")
            continue
        put(tree, keys, text, f"--set {key}")


def _sections(tree: Tree, kinds: Mapping[str, type[Any]], checker: Checker, name: str) -> dict[type[Any], Any]:
    sections: dict[type[Any], Any] = {}
    for key, value in tree.items():
        if key not in kinds:
            checker.unknown_section(key, value, list(kinds))
    for key, kind in kinds.items():
        if kind is not SupervisorSettings:
            sections[kind] = checker.section(kind, tree.get(key, {}), (key,), "")
    return sections


def _settle_socket(sections: dict[type[Any], Any], options: LoadOptions) -> None:
    """``http.socket`` is below the data directory unless it is named."""
    daemon: DaemonSettings = sections[DaemonSettings]
    http: HttpSettings = sections[HttpSettings]
    if not daemon.data_dir.is_absolute():
        sections[DaemonSettings] = msgspec.structs.replace(daemon, data_dir=Path.cwd() / daemon.data_dir)
    data_dir: Path = sections[DaemonSettings].data_dir
    socket = options.socket or http.socket or data_dir / f"{daemon.name}.sock"
    sections[HttpSettings] = msgspec.structs.replace(http, socket=socket)
