"""How a command ends when it does not end well; each class has its exit code (contract.md, "Commands")."""

from __future__ import annotations


class CommandError(Exception):
    """Base: one line for people, and the code."""

    exit_code = 1


class CommandFailed(CommandError):
    """The daemon refused or could not do it."""


class DaemonUnreachable(CommandError):
    """No daemon runs, or it does not answer."""

    exit_code = 3


class NoSuchThing(CommandError):
    """What was named does not exist."""

    exit_code = 4
