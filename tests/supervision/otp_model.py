"""OTP's rules as a pure model: no tasks, no clock but a number; starts take no time, stops take what the test says.

It is written from the rules (design.md, OTP's documentation), not from our supervisor, and shares only the specifications.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import msgspec

from rustok_daemon.supervision.specs import AutoShutdown, ChildSpec, Restart, Strategy, SupervisorSpec

DELAY = 0.1
"""The backoff of every child."""
TO_LEAVE = 0.1
"""What a child gets beyond its budget before it is abandoned."""

Spec = ChildSpec | SupervisorSpec


class Refused(Exception):
    """A call that the rules do not allow now."""


class Node:
    """One child, or the root."""

    def __init__(self, spec: Spec, parent: Node | None) -> None:
        self.spec = spec
        self.parent = parent
        self.children: list[Node] = []
        self.up = False
        self.pending = False
        self.due = 0.0
        self.head: Node | None = None
        self.restarts: list[float] = []
        self.end_by = math.inf

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def temporary(self) -> bool:
        return self.spec.restart is Restart.TEMPORARY

    @property
    def supervisor(self) -> SupervisorSpec:
        assert isinstance(self.spec, SupervisorSpec)
        return self.spec

    @property
    def is_leaf(self) -> bool:
        return isinstance(self.spec, ChildSpec)

    def group(self, child: Node) -> list[Node]:
        match self.supervisor.strategy:
            case Strategy.ONE_FOR_ALL:
                return list(self.children)
            case Strategy.REST_FOR_ONE:
                return self.children[self.children.index(child) :]
            case _:
                return [child]

    def below(self) -> Iterator[Node]:
        for child in self.children:
            yield child
            yield from child.below()


class Model:
    """The whole tree, as it should be."""

    def __init__(self, spec: SupervisorSpec) -> None:
        self.now = 0.0
        self.log: list[str] = []
        self.start_fails: Counter[str] = Counter()
        self.stop_takes: dict[str, float] = {}
        self.abandoned: list[str] = []
        self.over = False
        self.gave_up = False
        self.end_by = math.inf
        self.root = Node(spec, None)
        if not self._start(self.root):
            self.over = self.gave_up = True

    # -- what can be asked ---------------------------------------------------------------------------------------

    def alive(self) -> list[str]:
        return sorted(node.id for node in self.root.below() if node.is_leaf and node.up)

    def nodes(self) -> list[Node]:
        return sorted(self.root.below(), key=lambda node: node.id)

    def find(self, id: str) -> tuple[Node, Node]:
        """The supervisor that runs and the child it has."""
        for node in self.root.below():
            if node.id == id and node.parent is not None and node.parent.up:
                return node.parent, node
        raise Refused

    # -- what happens --------------------------------------------------------------------------------------------

    def ends(self, id: str, reason: str) -> None:
        """A living leaf ends by itself: ``fail``, ``end`` or ``shutdown``."""
        _, node = self.find(id)
        self.log.append(f"end {id}")
        self._ended(node, reason)

    def advance(self, to: float) -> None:
        """Starts what is due until then."""
        while not self.over and (found := self._next_due()) is not None:
            at, node = found
            if max(at, self.now) > to:
                break
            self.now = max(at, self.now)
            node.pending, node.head = False, None
            if not self._start(node):
                self._failed_to_start(node)
        self.now = max(self.now, to)

    def _next_due(self) -> tuple[float, Node] | None:
        found: list[tuple[float, str, Node]] = []
        for supervisor in (self.root, *self.root.below()):
            if supervisor.is_leaf or not supervisor.up:
                continue
            waiting = [child for child in supervisor.children if child.pending]
            if supervisor.supervisor.strategy is not Strategy.ONE_FOR_ONE:
                waiting = waiting[:1]
            found += [(child.due, child.id, child) for child in waiting]
        if not found:
            return None
        due, _, node = min(found, key=lambda each: each[:2])
        return due, node

    def stop(self, within: float) -> None:
        self.end_by = self.now + within
        self._stop_all(self.root)
        self.over = True

    # -- calls ---------------------------------------------------------------------------------------------------

    def terminate(self, id: str) -> None:
        supervisor, node = self.find(id)
        if node.pending:
            for other in supervisor.children:
                if other.head is node:
                    other.pending, other.head = False, None
        self._stop(node)
        if node.temporary:
            supervisor.children.remove(node)

    def restart(self, id: str) -> None:
        _, node = self.find(id)
        if node.pending or node.up or not self._start(node):
            raise Refused

    def delete(self, id: str) -> None:
        supervisor, node = self.find(id)
        if node.pending or node.up:
            raise Refused
        supervisor.children.remove(node)
        self._respecify(supervisor, [each for each in supervisor.supervisor.children if each.id != id])

    def bounce(self, id: str) -> None:
        _, node = self.find(id)
        self._take_down(node)
        self._stop(node)
        self._plan(node, self.now)

    def add(self, to: str, spec: ChildSpec) -> None:
        """A start_child: its supervisor forgets it when it restarts."""
        supervisor = next((each for each in (self.root, *self.root.below()) if each.id == to), None)
        if supervisor is None or not supervisor.up:
            raise Refused
        node = Node(spec, supervisor)
        supervisor.children.append(node)
        if not self._start(node):
            supervisor.children.remove(node)
            raise Refused

    def _respecify(self, node: Node, children: list[Spec]) -> None:
        node.spec = msgspec.structs.replace(node.supervisor, children=tuple(children))
        if node.parent is not None:
            above = node.parent.supervisor.children
            self._respecify(node.parent, [node.spec if each.id == node.id else each for each in above])

    # -- the rules -----------------------------------------------------------------------------------------------

    def _start(self, node: Node) -> bool:
        if node.is_leaf:
            return self._start_leaf(node)
        node.children = [Node(spec, node) for spec in node.supervisor.children]
        node.restarts, node.end_by = [], math.inf
        for child in list(node.children):
            if not self._start(child):
                self._stop_all(node)
                return False
        node.up = True
        return True

    def _start_leaf(self, node: Node) -> bool:
        self.log.append(f"start {node.id}")
        if self.start_fails[node.id]:
            self.start_fails[node.id] -= 1
            self.log.append(f"end {node.id}")
            return False
        self.log.append(f"ready {node.id}")
        node.up = True
        return True

    def _ended(self, node: Node, reason: str) -> None:
        supervisor = node.parent
        assert supervisor is not None
        node.up = False
        restart = node.spec.restart
        if restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and reason == "fail"):
            self._restart(node)
            return
        if node.temporary:
            supervisor.children.remove(node)
        if node.spec.significant and self._ends_with(supervisor):
            self._supervisor_ends(supervisor, gave_up=False)

    def _failed_to_start(self, node: Node) -> None:
        """Every attempt counts; only a temporary child, bounced by hand, has none after it."""
        if node.temporary:
            self._ended(node, "fail")
        else:
            self._restart(node)

    def _ends_with(self, supervisor: Node) -> bool:
        """Whether the end of a significant child is the supervisor's."""
        others = any(each.spec.significant and (each.up or each.pending) for each in supervisor.children)
        mode = supervisor.supervisor.auto_shutdown
        return mode is AutoShutdown.ANY_SIGNIFICANT or (mode is AutoShutdown.ALL_SIGNIFICANT and not others)

    def _restart(self, node: Node) -> None:
        supervisor = node.parent
        assert supervisor is not None
        spec = supervisor.supervisor
        supervisor.restarts = [at for at in supervisor.restarts if self.now - at <= spec.period] + [self.now]
        if len(supervisor.restarts) > spec.intensity:
            self._supervisor_ends(supervisor, gave_up=True)
            return
        due = self.now + DELAY
        self._take_down(node)
        self._plan(node, due)

    def _take_down(self, node: Node) -> None:
        supervisor = node.parent
        assert supervisor is not None
        for other in reversed(supervisor.group(node)):
            if other is not node and (other.up or other.pending):
                self._stop(other)
                if other.temporary:
                    supervisor.children.remove(other)

    def _plan(self, node: Node, due: float) -> None:
        assert node.parent is not None
        for other in node.parent.group(node):
            other.pending, other.due, other.head = True, due, node

    def _supervisor_ends(self, node: Node, gave_up: bool) -> None:
        self._stop_all(node)
        if node.parent is None:
            self.over, self.gave_up = True, gave_up
        else:
            self._ended(node, "shutdown")

    def _stop_all(self, supervisor: Node) -> None:
        for child in reversed(supervisor.children):
            self._stop(child)
        supervisor.up = False

    def _stop(self, node: Node) -> None:
        node.pending, node.head = False, None
        if not node.up:
            return
        assert node.parent is not None
        whole = max(self.now, min(self.end_by, node.parent.end_by))
        end_by = min(self.now + node.spec.shutdown, whole)
        if node.is_leaf:
            self._stop_leaf(node, end_by)
        else:
            node.end_by = end_by
            self._stop_all(node)
        node.up = False

    def _stop_leaf(self, node: Node, end_by: float) -> None:
        self.log.append(f"stop {node.id}")
        ready_to_leave = self.now + self.stop_takes.get(node.id, 0.0)
        if ready_to_leave <= end_by + TO_LEAVE:
            self.now = ready_to_leave
            self.log.append(f"end {node.id}")
        else:
            self.now = end_by + TO_LEAVE
            self.abandoned.append(node.id)
