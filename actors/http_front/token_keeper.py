"""Keeps the token cache right: listens for revocations, and sees to it that the local admin token exists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import trio

from rustok_daemon.postgres.errors import DatabaseError
from rustok_daemon.postgres.interface import Database
from rustok_daemon.supervision.actor import ViewRef
from rustok_daemon.supervision.errors import ActorUnavailable, unwrap

from .private_file import read_private, write_private
from .token_sql import CHANNEL, EXISTS, FIND_ALL, NEW, REPLACE
from .tokens import TokenCache, hash_of, new_token

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_UNHEARD = (DatabaseError, ActorUnavailable)
_WITHIN = 5.0
_FIRST_RETRY, _LONGEST_RETRY = 0.1, 2.0

GOOD_UNHEARD_FOR = 60.0
"""How long remembered tokens are good without being looked up while revocations do not reach us."""


class TokenKeeper:
    """Runs for as long as the front does.

    While the channel of revocations is lost, what is remembered is read anew every minute. If that is not possible
    either, then the database is down, and what is remembered stays good until it is back.
    """

    def __init__(
        self, cache: TokenCache, database: ViewRef[Database], file: Path, name: str, log: FilteringBoundLogger
    ) -> None:
        self._cache = cache
        self._database = database
        self._file = file
        self._name = name
        self._log = log
        self._own = b""
        self._read_at = trio.current_time()
        self._retry = _FIRST_RETRY

    async def prepare(self) -> None:
        """Makes the local admin token before the daemon says that it is ready, if the database is there."""
        try:
            await self.ensure_admin_token()
        except _UNHEARD as error:
            self._log.warning("the local admin token cannot be made yet", reason=str(error))

    async def run(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:
                cause = unwrap(error)  # a nursery on the way may have wrapped it
                if not isinstance(cause, _UNHEARD):
                    raise
                self._log.debug("revocations of tokens do not reach us", reason=str(cause))
            if trio.current_time() - self._read_at >= GOOD_UNHEARD_FOR:
                await self._read_anew_if_possible()
            await trio.sleep(self._retry)
            self._retry = min(_LONGEST_RETRY, self._retry * 2)

    async def _listen(self) -> None:
        async with self._database.get().listen(CHANNEL) as listener:
            await self.ensure_admin_token()
            await self._read_anew()
            self._retry = _FIRST_RETRY
            try:
                while True:
                    _, payload = await listener.receive()
                    await self._hear(payload)
            finally:
                self._read_at = trio.current_time()

    async def _hear(self, payload: str) -> None:
        if payload.startswith(NEW):
            self._cache.note_new()
            return
        hashed = _named(payload)
        self._cache.forget(hashed)
        if hashed is None or hashed == self._own:
            await self.ensure_admin_token()

    async def _read_anew_if_possible(self) -> None:
        try:
            await self._read_anew()
        except _UNHEARD as error:
            self._log.debug("tokens cannot be read anew", reason=str(error))

    async def _read_anew(self) -> None:
        """Asks for all that is remembered at once, so that nobody has to wait for a lookup of theirs."""
        while True:
            generation, asked = self._cache.generation, self._cache.remembered()
            rows = await self._database.get().fetch(FIND_ALL, asked, name="select rustok_tokens", within=_WITHIN)
            if generation == self._cache.generation:
                break
        self._cache.replace(asked, rows)
        self._read_at = trio.current_time()

    async def ensure_admin_token(self) -> None:
        """The file's token is in the table; one that was revoked is replaced by a new one. Raises ``DatabaseError``."""
        database = self._database.get()
        token = await trio.to_thread.run_sync(read_private, self._file)
        self._own = hash_of(token.encode())
        if token and await database.fetchval(EXISTS, self._own, name="select rustok_tokens", within=_WITHIN):
            return
        token = new_token()
        self._own = hash_of(token.encode())
        await database.execute(REPLACE, self._name, self._own, ["admin"], name="insert rustok_tokens", within=_WITHIN)
        await trio.to_thread.run_sync(write_private, self._file, token)
        self._log.info("made the local admin token", file=str(self._file), name=self._name)


def _named(payload: str) -> bytes | None:
    """The hash that a notification names, or ``None`` for all of them."""
    try:
        return bytes.fromhex(payload)
    except ValueError:
        return None
