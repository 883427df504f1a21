"""A table of tokens behind ``Database``'s interface that a test can cut off, one way or the other, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from actors.http_front.tokens import hash_of
from rustok_daemon.postgres.errors import DatabaseUnavailable
from rustok_daemon.postgres.interface import Database, Row
from rustok_daemon.supervision.actor import ViewRef


class Notifications:
    """A listener that can be lost."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[str](100)
        self.heard = False
        """Whether somebody waits for the next one, having done all that comes before."""

    def notify(self, payload: str) -> None:
        self._send.send_nowait(payload)

    def lose(self) -> None:
        self._send.close()

    async def receive(self) -> tuple[str, str]:
        self.heard = True
        try:
            return "rustok_token_invalidate", await self._receive.receive()
        except trio.EndOfChannel:
            raise DatabaseUnavailable("the listening connection was lost") from None


class FewRows:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.rows: dict[bytes, tuple[str, list[str]]] = {}
        self.available = True
        self.listenable = True
        self.lookups = 0
        self.at_once = 0
        self.most_at_once = 0
        self.takes = 0.01
        self.listener: Notifications | None = None

    def add(self, token: str, name: str = "app", *scopes: str) -> None:
        self.rows[hash_of(token.encode())] = (name, list(scopes))

    def revoke(self, token: str, *, tell: bool = True) -> None:
        hashed = hash_of(token.encode())
        del self.rows[hashed]
        if tell and self.listener is not None:
            self.listener.notify(hashed.hex())

    def go_down(self) -> None:
        self.available = self.listenable = False
        self.lose_channel()

    def come_back(self) -> None:
        self.available = self.listenable = True

    def lose_channel(self) -> None:
        if self.listener is not None:
            self.listener.lose()
            self.listener = None

    async def until_heard(self) -> None:
        """Polls: the keeper reads its file in a thread, which no virtual clock waits for."""
        while self.listener is None or not self.listener.heard:
            await trio.sleep(0.1)

    async def _answer(self) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await trio.sleep(self.takes)
        finally:
            self.at_once -= 1
        if not self.available:
            raise DatabaseUnavailable("refused")

    async def fetchrow(self, sql: str, hashed: bytes, *, name: str, within: float | None = None) -> Row | None:
        self.lookups += 1
        await self._answer()
        return self._row(hashed)

    async def fetch(self, sql: str, asked: Sequence[bytes], *, name: str, within: float | None = None) -> Sequence[Row]:
        await self._answer()
        return [row for hashed in asked if (row := self._row(hashed)) is not None]

    async def fetchval(self, sql: str, hashed: bytes, *, name: str, within: float | None = None) -> Any:
        await self._answer()
        return hashed in self.rows

    async def execute(
        self, sql: str, name_: str, hashed: bytes, scopes: list[str], *, name: str, within: float | None = None
    ) -> str:
        await self._answer()
        self.rows[hashed] = (name_, scopes)
        return "INSERT 0 1"

    @asynccontextmanager
    async def listen(self, *channels: str, heartbeat: float = 2.0, lost_after: float = 5.0) -> AsyncIterator[Any]:
        await trio.sleep(self.takes)
        if not self.listenable:
            raise DatabaseUnavailable("refused")
        self.listener = Notifications()
        yield self.listener

    def _row(self, hashed: bytes) -> Row | None:
        found = self.rows.get(hashed)
        return None if found is None else {"hash": hashed, "name": found[0], "scopes": found[1]}


class Here(ViewRef[Database]):
    """The reference by which it is found."""

    def __init__(self, database: Any) -> None:
        self._database = database

    @property
    def current(self) -> Database | None:
        found: Database | None = self._database
        return found

    def get(self) -> Database:
        assert self._database is not None
        found: Database = self._database
        return found
