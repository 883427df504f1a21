"""The listener's neighbours at their interfaces, for tests under a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import trio

from actors.cache_invalidation.sql import TAKE_PUBLISHER_LOCK
from actors.identities import Identity
from actors.messages import Resolution
from rustok_daemon.supervision.actor import Message
from rustok_daemon.supervision.errors import ActorUnavailable

ViewT = TypeVar("ViewT")

GAP = "gap"


class Directory:
    """A resolver's view that writes down what the listener did to it, and when."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.at: list[float] = []
        self.changed = trio.Event()

    def invalidate(self, identities: Iterable[Identity] | None) -> None:
        self._note(None if identities is None else tuple(identities))

    def gap(self) -> None:
        self._note(GAP)

    def peek(self, identity: Identity) -> Resolution | None:
        raise NotImplementedError

    async def resolve(self, identity: Identity) -> Resolution:
        raise NotImplementedError

    def _note(self, call: Any) -> None:
        self.calls.append(call)
        self.at.append(trio.current_time())
        self.changed.set()
        self.changed = trio.Event()

    async def until(self, count: int) -> list[Any]:
        """Waits for that many calls."""
        while len(self.calls) < count:
            await self.changed.wait()
        return self.calls


class View(Generic[ViewT]):
    """A reference to a view that is there or not, as the test says."""

    def __init__(self, current: ViewT | None) -> None:
        self.current = current

    def get(self) -> ViewT:
        if self.current is None:
            raise ActorUnavailable("view", "the test took it away")
        return self.current


class Resolver:
    """The resolver's mailbox."""

    id = "tenant_resolver"

    def __init__(self) -> None:
        self.told: list[Message] = []

    def tell_nowait(self, message: Message) -> None:
        self.told.append(message)

    async def tell(self, message: Message) -> None:
        raise NotImplementedError

    async def ask(self, request: Any, *, within: float) -> Any:
        raise NotImplementedError


class Feed:
    """One subscription on command: messages put in come out of ``receive``; an exception put in is raised there."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Any](1000)

    def put(self, item: Any) -> None:
        self._send.send_nowait(item)

    async def receive(self) -> Any:
        item = await self._receive.receive()
        if isinstance(item, Exception):
            raise item
        return item


class RedisServer:
    """A ``Redis`` whose subscriptions are feeds; ``down`` refuses everything with that error."""

    def __init__(self) -> None:
        self.feeds: list[Feed] = []
        self.attempts: list[float] = []
        self.down: Exception | None = None
        self.published: list[bytes] = []
        self.on_subscribed: list[Any] = []

    async def publish(self, channel: str, *payloads: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._answer()
        self.published.extend(payloads)

    async def ping(self) -> None:
        self._answer()

    @asynccontextmanager
    async def subscribe(self, *channels: str, heartbeat: float = 2.0, lost_after: float = 5.0) -> AsyncIterator[Feed]:
        self.attempts.append(trio.current_time())
        self._answer()
        self.feeds.append(Feed())
        yield self.feeds[-1]

    def _answer(self) -> None:
        if self.down is not None:
            raise self.down


class Session(Feed):
    """A LISTEN connection: a feed that also answers the listener's own questions."""

    def __init__(self, server: PostgresServer) -> None:
        super().__init__()
        self._server = server

    async def fetchval(self, sql: str, *args: object) -> Any:
        await trio.lowlevel.checkpoint()
        if sql == TAKE_PUBLISHER_LOCK:
            return self._server.take_lock(self)
        return self._server.triggers_in_place


class PostgresServer:
    """A ``Database`` whose listeners are feeds; ``down`` refuses everything with that error."""

    available = True

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.attempts: list[float] = []
        self.down: Exception | None = None
        self.triggers_in_place = True
        self.lock_is_free = True
        self.tenants: list[dict[str, Any]] = []

    def take_lock(self, session: Session) -> bool:
        free, self.lock_is_free = self.lock_is_free, False
        return free

    @asynccontextmanager
    async def listen(self, *channels: str, heartbeat: float = 2.0, lost_after: float = 5.0) -> AsyncIterator[Session]:
        self.attempts.append(trio.current_time())
        if self.down is not None:
            raise self.down
        self.sessions.append(Session(self))
        yield self.sessions[-1]

    async def fetch(self, sql: str, *args: Any, name: str, within: float | None = None) -> list[dict[str, Any]]:
        await trio.lowlevel.checkpoint()
        if self.down is not None:
            raise self.down
        (after,) = args
        return [row for row in self.tenants if after is None or row["id"] > after][:500]

    async def fetchrow(self, sql: str, *args: Any, name: str, within: float | None = None) -> None:
        raise NotImplementedError

    async def fetchval(self, sql: str, *args: Any, name: str, within: float | None = None) -> None:
        raise NotImplementedError

    async def execute(self, sql: str, *args: Any, name: str, within: float | None = None) -> str:
        raise NotImplementedError

    def transaction(self, *, name: str, within: float | None = None) -> Any:
        raise NotImplementedError

    async def ping(self, *, within: float = 2.0) -> None:
        raise NotImplementedError
