"""What a supervisor is told: specifications are data, frozen and checked when they are made.

The rules are those of Erlang/OTP's ``supervisor``; backoff, mailboxes and overflow are ours.
Times are seconds as floats; ``math.inf`` means without limit.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
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


class SupervisorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor and, in start order, its children."""

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
