"""What a supervisor knows of one child, and what it answers when asked about its children."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import trio

from .budget import BackoffClock
from .incarnation import Incarnation
from .place import Place
from .specs import ChildSpec, Kind, Restart, State, SupervisorSpec

if TYPE_CHECKING:
    from .supervisor import Supervisor
    from .tree import Tree


class IfStartFails(enum.Enum):
    """What comes of a child that ends before it is ready."""

    RESTART = "restart"
    """By the rules: it counts in the window like any other restart."""
    KEEP = "keep"
    """A call started it and is told; its specification stays."""
    FORGET = "forget"
    """A call added it and is told; nothing stays."""


class Child:
    """One child of a supervisor, which alone changes it."""

    __slots__ = (
        "backoff",
        "due",
        "head",
        "if_start_fails",
        "incarnation",
        "pending",
        "place",
        "settled",
        "spec",
        "supervisor",
    )

    def __init__(self, spec: ChildSpec | SupervisorSpec, tree: Tree, parent_path: str) -> None:
        self.spec = spec
        self.place = tree.place(spec, parent_path)
        self.backoff = BackoffClock(spec.backoff, tree.random)
        self.incarnation: Incarnation | None = None
        self.supervisor: Supervisor | None = None
        """Its latest incarnation, if it is a supervisor."""
        self.pending = False
        """To be started, not before ``due`` (trio's clock)."""
        self.due = 0.0
        self.head: Child | None = None
        """For whose sake it is to be started: the one that failed, of its group."""
        self.if_start_fails = IfStartFails.RESTART
        self.settled = trio.Event()
        """The start that was planned or begun last came to something: ready, failed, or called off."""

    def respecify(self, spec: ChildSpec | SupervisorSpec, tree: Tree, parent_path: str) -> None:
        """Takes another specification of the same id; what runs goes on by the old one."""
        self.spec = spec
        self.place = tree.place(spec, parent_path)
        self.backoff = BackoffClock(spec.backoff, tree.random)

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def starting(self) -> bool:
        return self.incarnation is not None and not self.incarnation.ready

    @property
    def temporary(self) -> bool:
        return self.spec.restart is Restart.TEMPORARY

    def row(self) -> ChildRow:
        return ChildRow(id=self.id, kind=self.place.kind, state=self.place.state, incarnation=self.incarnation)

    def places(self) -> Iterator[Place]:
        """Its own, and those of all below it."""
        yield self.place
        if self.supervisor is not None:
            for below in self.supervisor.children:
                yield from below.places()

    def close_mailboxes(self, reason: str) -> None:
        """Nobody will read its mailbox any more, nor those below it."""
        for place in self.places():
            if place.mailbox is not None:
                place.mailbox.close(reason)


class ChildRow(msgspec.Struct, frozen=True):
    """OTP's row of ``which_children``: ``incarnation`` stands for the pid, ``backoff`` in ``state`` for ``restarting``."""

    id: str
    kind: Kind
    state: State
    incarnation: Incarnation | None


class ChildCounts(msgspec.Struct, frozen=True):
    """OTP's ``count_children``: supervisors and workers include those that do not run."""

    specs: int
    active: int
    supervisors: int
    workers: int
