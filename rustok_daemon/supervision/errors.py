"""What can go wrong between a child, its supervisor and those who talk to it."""

from __future__ import annotations


class SupervisionError(Exception):
    """Base of this room's errors."""


class ActorUnavailable(SupervisionError):
    """Nobody answers under this name: not started, stopped, or it ended before it answered."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} is not available: {reason}")
        self.name = name
        self.reason = reason


class Interrupted(ActorUnavailable):
    """It ended while it was at the request: what came of it is not known."""


class AskTimeout(SupervisionError):
    """No answer within the deadline; one that comes later is dropped and counted."""

    def __init__(self, name: str, within: float) -> None:
        super().__init__(f"{name} did not answer within {within:g} s")
        self.name = name


class MailboxFull(SupervisionError):
    """The mailbox holds as many messages as it may, and its overflow policy does not make room."""

    def __init__(self, name: str, capacity: int) -> None:
        super().__init__(f"the mailbox of {name} is full ({capacity} messages)")
        self.name = name


class Fenced(SupervisionError):
    """The caller was abandoned: nothing it still holds may have an effect."""


class ReplyError(SupervisionError):
    """Base of what a handler raises as its answer: it reaches the asker, and the actor lives on."""


class Ignore(SupervisionError):
    """Raised before ``ready``: the child does not want to run. OTP's ``ignore``."""


class NoSuchChild(SupervisionError):
    """No child of this name."""


class ChildRefused(SupervisionError):
    """A child cannot be started, restarted or deleted now: already running, already present, restarting, too many."""


class StartFailed(ChildRefused):
    """A child that a call started ended before it was ready; ``__cause__`` is why."""


class BadSpecification(SupervisionError):
    """A specification that cannot hold; names the field and what would be right."""


class Shutdown(SupervisionError):
    """An end that is no failure for a transient child. OTP's ``shutdown``."""


class GaveUp(Shutdown):
    """A supervisor ended: a child exceeded its restart intensity, or could not be started."""

    def __init__(self, supervisor: str, child: str, rule: str, cause: BaseException | None) -> None:
        super().__init__(f"{rule} (supervisor {supervisor!r}, child {child!r}): {describe(cause)}")
        self.supervisor = supervisor
        self.child = child
        self.rule = rule
        self.cause = cause


class FatalExit(SupervisionError):
    """Ends the whole daemon with this exit code; nothing is restarted."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TeardownCut(SupervisionError):
    """The teardown took longer than the child's ``shutdown`` and was cancelled."""


class LeakedCancelled(SupervisionError):
    """A child left with a ``Cancelled`` of a scope that is not its supervisor's: it counts as a failure."""

    def __init__(self) -> None:
        super().__init__("a Cancelled that nobody asked for left the child")


class ProcessEnded(SupervisionError):
    """An external process ended by itself, or could not be started."""


def unwrap(error: BaseException) -> BaseException:
    """The one error inside of nested groups, or the group if there are several."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def describe(error: BaseException | None) -> str:
    """One line for people."""
    if error is None:
        return "it ended"
    error = unwrap(error)
    if isinstance(error, GaveUp):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
