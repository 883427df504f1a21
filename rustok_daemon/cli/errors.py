"""How a command ends when it does not end well; each class has its exit code (contract.md, "Commands")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CommandError(Exception):
    """Base: one line for people, and the code."""

    exit_code = 1


class CommandFailed(CommandError):
    """The daemon refused or could not do it. ``problem`` is its answer, as RFC 9457 has it."""

    def __init__(self, text: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.problem = problem or {}


class UsageError(CommandError):
    """What was typed is no command."""

    exit_code = 2


class DaemonUnreachable(CommandError):
    """No daemon runs, or it does not answer."""

    exit_code = 3


class NoSuchThing(CommandError):
    """What was named does not exist."""

    exit_code = 4
