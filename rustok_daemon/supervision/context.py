"""One incarnation and its way to the rest of the tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from rustok_daemon.telemetry.logs import get_logger

from .mailbox import Mailbox
from .place import Place
from .refs import IncarnationFence, LocalRef, LocalViewRef, Registry

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from .actor import ActorRef, ViewRef

ViewT = TypeVar("ViewT")


class LiveContext:
    """What ``actor.Context`` promises, for one incarnation."""

    def __init__(self, place: Place, registry: Registry, on_ready: Callable[[], None]) -> None:
        self.fence = IncarnationFence(place.path)
        self.log: FilteringBoundLogger = get_logger(actor=place.id)
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
