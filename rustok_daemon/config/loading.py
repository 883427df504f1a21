"""From the command line's options to a checked configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .checking import Checker
from .configuration import Configuration
from .errors import ConfigurationError
from .sections import DaemonSettings, HttpSettings, SupervisorSettings
from .sources import Override, Tree, environment_values, merge, option_values, put, read_file
from .tree import Children

PACKAGED = Path(__file__).parent.parent / "supervisor.toml"
CHECKED_IN = PACKAGED.parent.parent / "supervisor.toml"
_SEARCH = (Path("supervisor.toml"), Path("/etc/rustok/supervisor.toml"))
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says: ``--config``, ``--env``, ``--set`` (each ``section.key=value``), ``--socket``."""

    config: Path | None = None
    environment: str | None = None
    settings: tuple[str, ...] = ()
    socket: Path | None = None


def load(options: LoadOptions, environment: Mapping[str, str] | None = None) -> Configuration:
    """Reads and checks everything. Raises ``ConfigurationError`` with all that is wrong, a line each."""
    variables = os.environ if environment is None else environment
    name = _environment_name(options, variables)
    files, base = find_files(options, variables, name)
    tree = _merged(files, base)
    overrides = [*environment_values(variables), *option_values(options.settings)]
    checker = Checker(variables, name)
    _put(tree, [each for each in overrides if each.path[0] == "supervisor"])
    children = Children(tree, checker)
    _put(tree, [each for each in overrides if each.path[0] in children.sections or not each.optional])
    sections = _sections(tree, children, checker)
    beside = Checker(variables, name)
    overlays = children.overlaid(tree, beside)
    if checker.lines or beside.lines:
        raise ConfigurationError(list(dict.fromkeys(checker.lines + beside.lines)))
    sections[SupervisorSettings] = children.settings
    _settle_paths(sections, options, base)
    return Configuration(
        environment=name,
        files=files,
        sections=sections,
        names=children.sections,
        actors=children.actors,
        origins=checker.origins,
        overlays=overlays,
    )


def find_files(options: LoadOptions, variables: Mapping[str, str], name: str) -> tuple[tuple[Path, ...], Path]:
    """The files in the order they are merged, and the directory that what is not in them is relative to."""
    first = _first_file(options, variables)
    if first in (PACKAGED, CHECKED_IN) and options.config is None:
        return (first,), Path.cwd()
    beside = (first.with_name(f"supervisor.{name}.toml"), first.with_name("supervisor.local.toml"))
    return (first, *(path for path in beside if path.is_file() and path != first)), first.parent.absolute()


def _first_file(options: LoadOptions, variables: Mapping[str, str]) -> Path:
    """``--config``, ``RUSTOK_CONFIG``, ``./supervisor.toml``, ``/etc/rustok/supervisor.toml``, then the packaged tree."""
    named = variables.get("RUSTOK_CONFIG")
    given, who = (options.config, "--config") if options.config else (Path(named) if named else None, "RUSTOK_CONFIG")
    if given is None:
        return next((path for path in (*_SEARCH, PACKAGED) if path.is_file()), CHECKED_IN)
    if not given.is_file():
        raise ConfigurationError([f"{who}: there is no file {given}"])
    return given


def _environment_name(options: LoadOptions, variables: Mapping[str, str]) -> str:
    sources = (("--env", options.environment), *((key, variables.get(key)) for key in ("RUSTOK_ENV", "LOCO_ENV")))
    who, name = next(((who, name) for who, name in sources if name), ("", "development"))
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(
            [f"{who}: {name!r} is no name: write letters, digits, - and _, for example production"]
        )
    return name


def _merged(files: Sequence[Path], base: Path) -> Tree:
    tree: Tree = {}
    for file in files:
        tree = merge(tree, read_file(file, base))
    return tree


def _put(tree: Tree, overrides: Sequence[Override]) -> None:
    for each in overrides:
        put(tree, each)


def _sections(tree: Tree, children: Children, checker: Checker) -> dict[type[Any], Any]:
    """With a child that could not be read nobody knows which sections there are: then none is called unknown."""
    for key, value in tree.items() if children.complete else ():
        if key not in children.sections:
            checker.unknown_section(key, value, list(children.sections))
    return {
        kind: checker.section(kind, tree.get(key, {}), (key,))
        for key, kind in children.sections.items()
        if kind is not SupervisorSettings
    }


def _settle_paths(sections: dict[type[Any], Any], options: LoadOptions, base: Path) -> None:
    """The data directory is relative to the file also where the file does not name it, and the socket below it."""
    daemon: DaemonSettings = sections[DaemonSettings]
    http: HttpSettings = sections[HttpSettings]
    data_dir = Path(os.path.normpath(base / daemon.data_dir))
    socket = options.socket.absolute() if options.socket else http.socket or data_dir / "rustok.sock"
    sections[DaemonSettings] = msgspec.structs.replace(daemon, data_dir=data_dir)
    sections[HttpSettings] = msgspec.structs.replace(http, socket=socket)
