"""One incarnation and its way to the rest of the tree."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from rustok_daemon.telemetry.logs import get_logger

from .errors import Ignore, Interrupted
from .mailbox import Mailbox
from .place import Place
from .refs import IncarnationFence, LocalRef, LocalViewRef, Registry
from .replies import PendingReply

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from .actor import ActorRef, ViewRef

ViewT = TypeVar("ViewT")


class LiveContext:
    """What ``actor.Context`` promises, for one incarnation."""

    def __init__(
        self,
        place: Place,
        registry: Registry,
        on_ready: Callable[[], None],
        on_failing: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        self.fence = IncarnationFence(place.path)
        self.log: FilteringBoundLogger = get_logger(actor=place.id)
        self.failures_told = FailuresTold(on_failing)
        self.teardown_scope = trio.CancelScope(shield=True)
        """The engine's own: what bounds the teardown."""
        self.ending = False
        """The engine's own: it was asked to end, or something in it failed; what it begins now would be cut off."""
        self.in_flight: set[PendingReply] = set()
        """The engine's own: asks whose handlers have begun and wait for something."""
        self._place = place
        self._registry = registry
        self._on_ready = on_ready
        self._is_ready = False

    @property
    def id(self) -> str:
        return self._place.id

    @property
    def path(self) -> str:
        return self._place.path

    @property
    def metrics(self) -> Any:
        return self._place.metrics

    @property
    def place(self) -> Place:
        """The engine's own; an actor has no use for it."""
        return self._place

    @property
    def mailbox(self) -> Mailbox:
        """The engine's own. Raises ``Fenced``."""
        self.fence.check()
        assert self._place.mailbox is not None
        return self._place.mailbox

    def ready(self) -> None:
        self.fence.check()
        if not self._is_ready:
            self._is_ready = True
            self._on_ready()

    def degraded(self, reason: str) -> None:
        if not self.fence.raised and self._place.degraded != reason:
            self._place.degraded = reason
            self.log.warning("degraded", reason=reason)

    def recovered(self) -> None:
        if not self.fence.raised and self._place.degraded is not None:
            self._place.degraded = None
            self.log.info("recovered")

    def actor(self, id: str) -> ActorRef:
        return LocalRef(id, self._registry, self.fence)

    def view(self, kind: type[ViewT]) -> ViewRef[ViewT]:
        return LocalViewRef[ViewT](self._registry.cell(kind), self.fence)

    def publish(self, kind: type[ViewT], view: ViewT) -> None:
        self.fence.check()
        self._registry.lend(kind, view, self.fence)

    def close(self) -> None:
        """The incarnation is over: what it lent is withdrawn."""
        self._registry.withdraw(self.fence)

    def abandon(self) -> None:
        """The incarnation ignores its end: nothing it holds works any more, and nobody waits for its answers."""
        self.fence.raised = True
        self.close()
        for reply in tuple(self.in_flight):
            reply.error(Interrupted(self.id, "it was abandoned before it answered"))


class FailuresTold:
    """A block whose failure the supervisor hears of at once, not only when all else of the incarnation has ended.

    Otherwise a teardown, or another handler, that ignores being cancelled would hide for ever that the child failed.
    """

    __slots__ = ("_on_failing",)

    def __init__(self, on_failing: Callable[[BaseException], None]) -> None:
        self._on_failing = on_failing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None or isinstance(error, trio.Cancelled | Ignore | KeyboardInterrupt) or asked_to_end():
            return
        self._on_failing(error)


def asked_to_end() -> bool:
    """Whether the current task is cancelled already, from wherever."""
    return trio.current_effective_deadline() == -math.inf
