"""What happens in the tree, as data: each event has a text for people and fields for machines."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base. ``level`` is the one an operator would choose; ``path`` names the child."""

    level: ClassVar[str] = "info"
    name: ClassVar[str] = ""
    path: str

    def text(self) -> str:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        return {"event": self.name, **msgspec.structs.asdict(self)}


class ChildStarted(Event, frozen=True, kw_only=True):
    """It is ready, ``seconds`` after its start."""

    name = "child_started"
    seconds: float

    def text(self) -> str:
        return f"{self.path} started in {self.seconds:.3f} s"


class ChildStopped(Event, frozen=True, kw_only=True):
    """It ended because it was told to."""

    name = "child_stopped"

    def text(self) -> str:
        return f"{self.path} stopped"


class ChildEnded(Event, frozen=True, kw_only=True):
    """Ended by itself without an error."""

    name = "child_ended"

    def text(self) -> str:
        return f"{self.path} ended by itself"


class ChildFailed(Event, frozen=True, kw_only=True):
    """It ended by an error, perhaps before it was ready."""

    name = "child_failed"
    level = "error"
    error: str
    while_starting: bool
    traceback: str

    def text(self) -> str:
        return f"{self.path} failed{' to start' if self.while_starting else ''}: {self.error}"


class RestartPlanned(Event, frozen=True, kw_only=True):
    """It starts again in ``delay`` seconds, as the ``restarts``-th of ``intensity`` in ``period`` seconds."""

    name = "restart_planned"
    level = "warning"
    delay: float
    restarts: int
    intensity: int
    period: float

    def text(self) -> str:
        return (
            f"{self.path} is restarted in {self.delay:.2f} s "
            f"(restart {self.restarts} of {self.intensity} in {self.period:g} s)"
        )


class SupervisorGaveUp(Event, frozen=True, kw_only=True):
    """The supervisor ends, and its own supervisor's rules apply."""

    name = "supervisor_gave_up"
    level = "error"
    child: str
    rule: str
    error: str

    def text(self) -> str:
        return f"{self.path} gives up: {self.rule} by child {self.child!r}: {self.error}"


class ChildAbandoned(Event, frozen=True, kw_only=True):
    """It did not end within its budget: fenced, and the daemon leaves with 5 in the end."""

    name = "child_abandoned"
    level = "error"
    seconds: float

    def text(self) -> str:
        return (
            f"{self.path} ignored being cancelled for {self.seconds:g} s and is abandoned; all it holds is fenced off"
        )


class StopFailed(Event, frozen=True, kw_only=True):
    """OTP's shutdown_error: it stopped, but not cleanly; the shutdown goes on."""

    name = "stop_failed"
    level = "warning"
    error: str

    def text(self) -> str:
        return f"{self.path} raised while it was being stopped: {self.error}"


class DeadLetter(Event, frozen=True, kw_only=True):
    """A message that nobody took."""

    name = "dead_letter"
    level = "warning"
    message: str
    reason: str
    silenced: bool

    def text(self) -> str:
        tail = "; further ones are only counted for 5 min" if self.silenced else ""
        return f"{self.path} did not take a {self.message}: {self.reason}{tail}"
