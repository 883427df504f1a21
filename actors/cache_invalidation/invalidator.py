"""The one way from a message to the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from actors.identities import Identity
from actors.messages import Invalidated, TenantDirectory
from rustok_daemon.supervision.errors import ActorUnavailable, MailboxFull

from .channel import Channel

if TYPE_CHECKING:
    from rustok_daemon.supervision.actor import ActorRef, ViewRef

Origin = Literal["redis", "redis_generation", "notify"]


class Invalidator:
    """Bumps the resolver's view, at once and without a checkpoint, then tells the resolver.

    While nobody publishes a view there is nothing to do, and nothing is missed: a resolver starts empty, every load of
    its begins after its view is there, and what a message tells was committed before the message was read.
    """

    def __init__(self, directory: ViewRef[TenantDirectory], resolver: ActorRef) -> None:
        self._directory = directory
        self._resolver = resolver

    def invalidate(self, origin: Origin, identities: tuple[Identity, ...] | None) -> None:
        """Forgets these identities; ``None``: all."""
        directory = self._directory.current
        if directory is None:
            return
        directory.invalidate(identities)
        try:
            self._resolver.tell_nowait(Invalidated(origin, identities))
        except (ActorUnavailable, MailboxFull):
            return  # the view is bumped, which is all that correctness needs

    def gap(self, channel: Channel) -> None:
        """What is cached may be old: it is read again before it serves as fresh."""
        channel.gaps += 1
        directory = self._directory.current
        if directory is not None:
            directory.gap()
