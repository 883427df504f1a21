"""The engine's own commands; the others are declared by the actors of the tree."""

from __future__ import annotations

from typing import Any

import msgspec

from rustok_daemon import __version__
from rustok_daemon.config import ConfigurationError
from rustok_daemon.declarations import Argument, Command
from rustok_daemon.lifecycle.assembly import collect

from . import status
from .context import CommandContext
from .errors import CommandFailed


def check(context: CommandContext) -> int:
    """Reaching this point is the check: the configuration was loaded."""
    files = [str(path) for path in context.configuration.files]
    context.output.document({"files": files, "ok": True}, f"configuration is right ({', '.join(files)})")
    return 0


def config(context: CommandContext) -> int:
    """Every key with its value and where it came from; secrets are stars."""
    dump = context.configuration.dump()
    if context.output.as_json:
        context.output.document({"environment": context.configuration.environment, "configuration": dump})
        return 0
    for path, value in _flat(dump, ""):
        origin = context.configuration.origin(path)
        context.output.line(f"{path} = {_toml(value)}" + ("" if origin == "default" else f"  # {origin}"))
    return 0


def _toml(value: Any) -> str:
    """As it would be written in the file: JSON's plain values and lists are TOML's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    return msgspec.json.encode(value).decode()


def _flat(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [item for key, each in value.items() for item in _flat(each, f"{path}.{key}" if path else key)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [item for number, each in enumerate(value) for item in _flat(each, f"{path}[{number}]")]
    return [] if value is None else [(path, value)]


def reload(context: CommandContext) -> int:
    """A mistake that this command's own check cannot see, in the daemon's environment for one, is the daemon's word."""
    try:
        done = context.daemon.post("/v1/supervisor/reload")["done"]
    except CommandFailed as error:
        if "errors" in error.problem:
            raise ConfigurationError(error.problem["errors"]) from error
        raise
    context.output.document({"done": done}, "\n".join(done) or "nothing has changed")
    return 0


def routes(context: CommandContext) -> int:
    rows = [
        {"method": route.method, "path": route.path, "scope": route.scope or "open", "summary": route.summary}
        for route in sorted(collect(context.configuration).routes, key=lambda route: (route.path, route.method))
    ]
    context.output.table("routes", rows, ("method", "path", "scope", "summary"))
    return 0


def version(context: CommandContext) -> int:
    context.output.document({"version": __version__}, f"rustok-daemon {__version__}")
    return 0


STATUS = Command(
    words=("status",),
    summary="the tree: who runs, since when, what went wrong",
    run=status.run,
    arguments=(Argument(name="--watch", help="again each second, until Ctrl-C", flag=True),),
)
COMMANDS = (
    STATUS,
    Command(words=("reload",), summary="take over the changed configuration", run=reload),
    Command(words=("check",), summary="check the configuration", run=check),
    Command(words=("config",), summary="print the configuration in force", run=config),
    Command(words=("routes",), summary="list the HTTP routes", run=routes),
)
VERSION = Command(words=("version",), summary="print the version", run=version)
RUN = Command(words=("run",), summary="run the daemon in the foreground", run=lambda context: 0)
