"""``rustok-daemon …``: from words to an exit code, without a traceback on the way.

A configuration that is broken does not stop ``--help`` and ``version``; it only takes the actors' commands away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rustok_daemon.config import Configuration, ConfigurationError, LoadOptions, load
from rustok_daemon.declarations import Command
from rustok_daemon.lifecycle.assembly import collect, verify

from . import commands
from .errors import CommandError, UsageError
from .live import LiveContext
from .options import early_options
from .parser import PROGRAM, build

_BUG = 70


def main(words: Sequence[str] | None = None) -> int:
    """The console script."""
    given = list(sys.argv[1:] if words is None else words)
    try:
        return _main(given)
    except ConfigurationError as error:
        return _say(error.lines, error.exit_code)
    except CommandError as error:
        return _say([f"{PROGRAM}: {error}"], error.exit_code)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("RUSTOK_DEBUG"):
            raise
        text = f"{PROGRAM}: this is a bug: {type(error).__name__}: {error} (RUSTOK_DEBUG=1 shows where)"
        return _say([text], _BUG)


def _main(words: list[str]) -> int:
    options = early_options(words)
    configuration, wrong = _load(options)
    try:
        arguments = build(_commands(configuration)).parse_args(words)
    except UsageError as error:
        raise wrong or error from None  # without its actors' commands a broken configuration knows few words
    command: Command = arguments.command
    if wrong is not None and command is not commands.VERSION:
        raise wrong
    if command is commands.RUN and configuration is not None:
        from rustok_daemon.lifecycle.run import run

        return run(configuration, options)
    return command.run(LiveContext(arguments, configuration, options))


def _load(options: LoadOptions) -> tuple[Configuration | None, ConfigurationError | None]:
    try:
        configuration = load(options)
        verify(configuration)
    except ConfigurationError as error:
        return None, error
    return configuration, None


def _commands(configuration: Configuration | None) -> list[Command]:
    own = [commands.RUN, *commands.COMMANDS, commands.VERSION]
    return own if configuration is None else [*own, *collect(configuration).commands]


def _say(lines: Sequence[str], code: int) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    return code
