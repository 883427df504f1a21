"""What a supervisor is told: specifications are data, frozen and checked when they are made.

The rules are those of Erlang/OTP's ``supervisor``; backoff, mailboxes and overflow are ours.
Times are seconds as floats; ``math.inf`` means without limit.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from .errors import BadSpecification

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from .actor import Runnable


class Strategy(enum.Enum):
    """Which siblings are restarted together with the child that failed."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"
    SIMPLE_ONE_FOR_ONE = "simple_one_for_one"


class Restart(enum.Enum):
    """When a child that ended is started again."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class AutoShutdown(enum.Enum):
    """Whether the end of significant children ends their supervisor."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class Overflow(enum.Enum):
    """What happens to a message for a full mailbox."""

    WAIT = "wait"
    REJECT = "reject"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


class Kind(enum.Enum):
    """What a node of the tree is."""

    SUPERVISOR = "supervisor"
    ACTOR = "actor"
    PROCESS = "process"


class State(enum.Enum):
    """Where a node of the tree stands (contract.md, ``status --json``)."""

    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    ABANDONED = "abandoned"


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Delay before restart n (0, 1, …): ``min(limit, first · factorⁿ)``, ± ``jitter``; n is 0 again after a quiet time."""

    first: float = 0.1
    limit: float = 30.0
    factor: float = 2.0
    jitter: float = 0.2
    reset_after: float = 60.0


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One child that is not a supervisor.

    ``start`` makes a fresh incarnation; it runs no I/O. ``shutdown`` is how long the child may take to
    end after it was cancelled, before it is abandoned.
    """

    id: str
    start: Callable[[], Runnable]
    kind: Kind = Kind.ACTOR
    restart: Restart = Restart.PERMANENT
    shutdown: float = 5.0
    significant: bool = False
    backoff: Backoff = Backoff()
    mailbox: int = 1000
    overflow: Overflow = Overflow.WAIT
    make_metrics: Callable[[CollectorRegistry], Any] | None = None

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check(self.shutdown >= 0, self.id, "shutdown", "0 or more seconds")
        _check(self.mailbox >= 1, self.id, "mailbox", "at least 1 message")
        _check_significant(self)


class SupervisorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor and, in start order, its children.

    Under ``simple_one_for_one`` there are none at first: ``template`` makes the specification of each from what
    ``start_child`` is given, its ``id`` is made unique, and all are stopped at once.
    """

    id: str
    children: tuple[ChildSpec | SupervisorSpec, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: int = 3
    period: float = 5.0
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    restart: Restart = Restart.PERMANENT
    shutdown: float = math.inf
    significant: bool = False
    backoff: Backoff = Backoff()
    max_children: int | None = None
    template: Callable[..., ChildSpec] | None = None

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check(self.intensity >= 0, self.id, "intensity", "0 or more restarts")
        _check(0 < self.period < math.inf, self.id, "period", "more than 0 seconds, and finite")
        _check_significant(self)
        dynamic = self.strategy is Strategy.SIMPLE_ONE_FOR_ONE
        _check((self.template is not None) == dynamic, self.id, "template", "given exactly with simple_one_for_one")
        _check(not (dynamic and self.children), self.id, "children", "none under simple_one_for_one")
        for child in self.children:
            self.check_child(child)
        ids = [child.id for child in self.children]
        _check(len(ids) == len(set(ids)), self.id, "children", f"each id once, not {sorted(ids)}")

    def check_child(self, child: ChildSpec | SupervisorSpec) -> None:
        """Raises ``BadSpecification`` for a significant child under a supervisor that never shuts itself down."""
        bad = child.significant and self.auto_shutdown is AutoShutdown.NEVER
        _check(not bad, child.id, "significant", f"false while auto_shutdown of {self.id!r} is never")


def walk(spec: ChildSpec | SupervisorSpec) -> Iterator[ChildSpec | SupervisorSpec]:
    """A specification and all below it."""
    yield spec
    if isinstance(spec, SupervisorSpec):
        for child in spec.children:
            yield from walk(child)


def _check(good: bool, id: str, field: str, right: str) -> None:
    if not good:
        raise BadSpecification(f"child {id!r}: {field} must be {right}")


def _check_id(id: str) -> None:
    _check(bool(id) and "/" not in id, id, "id", "a name without '/'")


def _check_significant(spec: ChildSpec | SupervisorSpec) -> None:
    bad = spec.significant and spec.restart is Restart.PERMANENT
    _check(not bad, spec.id, "significant", "false for a permanent child, which never ends for good")
