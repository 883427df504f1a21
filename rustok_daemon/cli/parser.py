"""The command line: a tree of argparse parsers made from declarations; common options before or after the verb."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from rustok_daemon.declarations import Argument, Command

from .errors import UsageError

PROGRAM = "rustok-daemon"


class Parser(argparse.ArgumentParser):
    """Says what is wrong by ``UsageError``. An abbreviation today is another option's name tomorrow: none are taken."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**{**keywords, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}")


def build(commands: Sequence[Command]) -> argparse.ArgumentParser:
    """Parses to ``command`` (the ``Command``), its arguments, and the common options."""
    parser = Parser(prog=PROGRAM, description="The background half of a multi-tenant platform.", parents=[_common()])
    groups: dict[tuple[str, ...], Any] = {(): _subparsers(parser)}
    for command in commands:
        _add(groups, command, commands)
    return parser


def _add(groups: dict[tuple[str, ...], Any], command: Command, commands: Sequence[Command]) -> None:
    for depth in range(1, len(command.words)):
        words = command.words[:depth]
        if words not in groups:
            verbs = dict.fromkeys(each.words[depth] for each in commands if each.words[:depth] == words)
            group = groups[words[:-1]].add_parser(words[-1], help=" | ".join(verbs), parents=[_common()])
            groups[words] = _subparsers(group)
    parser = groups[command.words[:-1]].add_parser(
        command.words[-1], help=command.summary, description=command.summary, parents=[_common()]
    )
    for argument in command.arguments:
        parser.add_argument(argument.name, **_keywords(argument))
    parser.set_defaults(command=command)


def _subparsers(parser: argparse.ArgumentParser) -> Any:
    return parser.add_subparsers(metavar="COMMAND", required=True)


def _common() -> argparse.ArgumentParser:
    """Read early, wherever they stand (``options``); here they are only known. ``--json`` alone is looked at again.

    No default may overwrite what was given before the verb: hence SUPPRESS.
    """
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", type=Path, metavar="FILE", help="the configuration file")
    common.add_argument("--env", metavar="NAME", help="the environment's name, for supervisor.NAME.toml")
    common.add_argument("--socket", type=Path, metavar="PATH", help="the daemon's unix socket")
    common.add_argument("--set", action="append", metavar="section.key=value", help="a setting; may be repeated")
    common.add_argument("--json", action="store_true", help="print one JSON document")
    return common


def _keywords(argument: Argument) -> dict[str, Any]:
    keywords: dict[str, Any] = {"help": argument.help}
    if argument.flag:
        return {**keywords, "action": "store_true"}
    keywords |= {"type": argument.type, "choices": argument.choices}
    if not argument.name.startswith("-"):
        return (
            keywords
            if argument.required or argument.default is None
            else {**keywords, "nargs": "?", "default": argument.default}
        )
    if argument.repeated:
        keywords["action"] = "append"
    return {**keywords, "default": argument.default, "required": argument.required}
