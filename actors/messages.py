"""What actors share: the identities and answers of the tenant path, and the messages between actors."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, Literal, Protocol
from uuid import UUID

import msgspec

from actors.identities import Identity
from rustok_daemon.supervision.actor import Message


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as the resolver answers with it (contract.md, ``GET /v1/tenants/resolve``)."""

    id: UUID
    name: str
    slug: str
    domain: str | None
    settings: msgspec.Raw
    """A JSON object, as the database holds it."""
    is_active: bool
    default_locale: str


class Source(enum.Enum):
    """Where an answer came from; the value of ``X-Tenant-Cache``."""

    HIT = "hit"
    MISS = "miss"
    COALESCED = "coalesced"
    STALE = "stale"
    NEGATIVE = "negative"


class Verdict(enum.Enum):
    """What is known of an identity."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNKNOWN = "unknown"


class Resolution(msgspec.Struct, eq=False):
    """The answer to "which tenant is this". ``tenant`` is there exactly when the verdict is ``ACTIVE``.

    A cached one is given many times: what is made of it for the wire is kept in ``rendered``, and goes when it goes.
    """

    verdict: Verdict
    source: Source
    tenant: Tenant | None = None
    rendered: Any = None


class TenantDirectory(Protocol):
    """The read-only view the resolver publishes.

    Reads are calls: ``peek`` is a plain lookup, without a checkpoint. ``invalidate`` and ``gap`` bump the generation
    or the epoch on the view at once, without a checkpoint; what follows from them goes through the mailbox.
    """

    def peek(self, identity: Identity) -> Resolution | None:
        """A fresh answer from the cache, absence included, or ``None``. Counts nothing but hits."""

    async def resolve(self, identity: Identity) -> Resolution:
        """The answer, loading it if need be; one load for all who wait. Raises ``TenantUnavailable``."""

    def invalidate(self, identities: Iterable[Identity] | None) -> None:
        """Forgets these identities, all aliases of their tenants and the flights begun before; ``None``: all of them."""

    def gap(self) -> None:
        """A channel of invalidation was lost: what is cached must be read again before it serves as fresh."""


class TenantUnavailable(Exception):
    """The resolver cannot tell: database down, breaker open, too many flights, load timed out.

    ``retry_after``: in how many seconds a second try may succeed.
    """

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Invalidated(Message, frozen=True):
    """Told to the resolver by the listener after the view was bumped: what was named, and through which channel."""

    channel: Literal["redis", "redis_generation", "notify", "api"]
    identities: tuple[Identity, ...] | None
