"""How a child reaches the rest of the tree: fences, addresses and views, each bound to the incarnation that holds it."""

from __future__ import annotations

import math
from typing import Any, Generic, TypeVar

import trio

from .actor import ActorRef, Message, Request
from .errors import ActorUnavailable, AskTimeout, Fenced
from .mailbox import Mailbox
from .place import Place
from .replies import Deadlines, PendingReply

ReplyT = TypeVar("ReplyT")
ViewT = TypeVar("ViewT")


class IncarnationFence:
    """Down while the incarnation is in good standing; raised, for good, when it is abandoned."""

    __slots__ = ("name", "raised")

    def __init__(self, name: str) -> None:
        self.name = name
        self.raised = False

    def check(self) -> None:
        if self.raised:
            raise Fenced(f"{self.name} was abandoned: what it holds is closed to it")


class ViewCell:
    """Where one kind of view is published; ``owner`` is the fence of the incarnation that lends it."""

    __slots__ = ("kind", "owner", "view")

    def __init__(self, kind: type[Any]) -> None:
        self.kind = kind
        self.view: Any = None
        self.owner: IncarnationFence | None = None


class Registry:
    """Everything that can be found by name: places by id, views by type."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.deadlines = Deadlines()
        self._cells: dict[type[Any], ViewCell] = {}

    def cell(self, kind: type[Any]) -> ViewCell:
        return self._cells.setdefault(kind, ViewCell(kind))

    def lend(self, kind: type[Any], view: object, owner: IncarnationFence | None = None) -> None:
        cell = self.cell(kind)
        cell.view, cell.owner = view, owner

    def withdraw(self, owner: IncarnationFence) -> None:
        """Takes back all that this incarnation lent."""
        for cell in self._cells.values():
            if cell.owner is owner:
                cell.view = cell.owner = None

    def mailbox(self, id: str) -> Mailbox:
        place = self.places.get(id)
        if place is None:
            raise ActorUnavailable(id, "there is no actor of this name in the tree")
        if place.mailbox is None:
            raise ActorUnavailable(id, f"a {place.kind.value} takes no messages")
        return place.mailbox


class LocalRef(ActorRef):
    """An address by name; it follows a child over restarts and reloads."""

    __slots__ = ("_fence", "_id", "_mailbox", "_registry")

    def __init__(self, id: str, registry: Registry, fence: IncarnationFence) -> None:
        self._id = id
        self._registry = registry
        self._fence = fence
        self._mailbox: Mailbox | None = None

    @property
    def id(self) -> str:
        return self._id

    def _open_mailbox(self) -> Mailbox:
        """Looked up anew whenever the one found last is closed: one that is forgotten is closed before."""
        if self._fence.raised:
            self._fence.check()
        mailbox = self._mailbox
        if mailbox is None or mailbox.closed_because is not None:
            mailbox = self._mailbox = self._registry.mailbox(self._id)
        return mailbox

    def tell_nowait(self, message: Message) -> None:
        self._open_mailbox().put_nowait(message)

    async def tell(self, message: Message) -> None:
        mailbox = self._open_mailbox()
        if not mailbox.offer(message):
            await mailbox.wait_for_room(message, fence=self._fence)

    async def ask(self, request: Request[ReplyT], *, within: float) -> ReplyT:
        if not 0 < within < math.inf:
            _check_deadline(self._id, within)
        mailbox = self._open_mailbox()
        reply = PendingReply(self._id, within)
        left = within
        if not mailbox.offer(request, reply):
            left = await self._put_in_time(mailbox, request, reply, within)
        deadlines = self._registry.deadlines
        deadlines.add(reply, left)
        try:
            answer: ReplyT = await reply.wait()
            return answer
        finally:
            deadlines.discard(reply, left)

    async def _put_in_time(
        self, mailbox: Mailbox, request: Request[ReplyT], reply: PendingReply, within: float
    ) -> float:
        """Waits for room; the seconds that are left."""
        until = trio.current_time() + within
        with trio.move_on_at(until) as scope:
            await mailbox.wait_for_room(request, reply, self._fence)
        if scope.cancelled_caught:
            raise AskTimeout(self._id, within)
        return until - trio.current_time()


def _check_deadline(id: str, within: float) -> None:
    """One that is over is no error of the caller's: what is left of a longer one may be nothing."""
    if within <= 0:
        raise AskTimeout(id, within)
    raise ValueError(f"ask {id}: within must be a finite number of seconds, not {within}")


class LocalViewRef(Generic[ViewT]):
    """Finds a view at each use; hands out a copy bound to the holder's fence where the view offers one."""

    __slots__ = ("_cell", "_fence", "_held", "_seen")

    def __init__(self, cell: ViewCell, fence: IncarnationFence) -> None:
        self._cell = cell
        self._fence = fence
        self._seen: object = None
        self._held: ViewT | None = None

    @property
    def current(self) -> ViewT | None:
        if self._fence.raised:
            return None
        view = self._cell.view
        if view is not self._seen:
            held_by = getattr(view, "held_by", None)
            self._held = view if held_by is None else held_by(self._fence)
            self._seen = view
        return self._held

    def get(self) -> ViewT:
        self._fence.check()
        view = self.current
        if view is None:
            raise ActorUnavailable(self._cell.kind.__name__, "nobody lends it at present")
        return view
