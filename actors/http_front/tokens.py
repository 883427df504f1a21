"""Service tokens in memory: what is kept of a token is its hash, and whose it is.

A token holds 256 random bits, so one round of SHA-256 is as strong as any slow hash: there is nothing to guess. Looking
up by the hash compares no secret byte by byte with what a caller sent.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TypeVar

import trio

from rustok_daemon.api.call import Principal
from rustok_daemon.api.errors import TokensUnavailable
from rustok_daemon.postgres.errors import DatabaseError
from rustok_daemon.postgres.interface import Database, Row
from rustok_daemon.supervision.actor import ViewRef

from .token_sql import FIND

ValueT = TypeVar("ValueT")

_REMEMBERED = 10_000
_UNKNOWN_FOR = 5.0
_WITHIN = 5.0
_AT_ONCE = 4
"""Lookups that may hold a connection of the pool; a flood of made-up tokens must leave some to others."""


def new_token() -> str:
    """A secret of 256 random bits, under a prefix by which scanners of leaked secrets know it."""
    return f"rst_{secrets.token_urlsafe(32)}"


def hash_of(token: bytes) -> bytes:
    """SHA-256: what is stored and looked up in the token's place."""
    return hashlib.sha256(token).digest()


class TokenCache:
    """Implements ``api.authentication.TokenDirectory``.

    A token seen before is good without the database. Whoever hears of revocations calls ``forget``; whoever reads the
    table anew calls ``replace``.
    """

    def __init__(self, database: ViewRef[Database]) -> None:
        self._database = database
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._generation = 0
        self._lookups = trio.CapacityLimiter(_AT_ONCE)

    def known(self, token: bytes) -> Principal | None:
        return self._known.get(hash_of(token))

    async def verify(self, token: bytes) -> Principal | None:
        """Asks the database for one that is not remembered. Raises ``TokensUnavailable``."""
        hashed = hash_of(token)
        if trio.current_time() < self._unknown.get(hashed, 0.0):
            return None
        while True:
            generation = self._generation
            row = await self._find(hashed)
            if generation == self._generation:
                break
        if row is None:
            _remember(self._unknown, hashed, trio.current_time() + _UNKNOWN_FOR)
            return None
        principal = _principal(row)
        _remember(self._known, hashed, principal)
        return principal

    async def _find(self, hashed: bytes) -> Row | None:
        with trio.move_on_after(_WITHIN):
            async with self._lookups:
                database = self._database.current
                if database is None or not database.available:
                    raise TokensUnavailable("the database cannot be asked at present whose token this is")
                try:
                    return await database.fetchrow(FIND, hashed, name="select rustok_tokens", within=_WITHIN)
                except DatabaseError as error:
                    raise TokensUnavailable("the database did not say whose token this is") from error
        raise TokensUnavailable("too many tokens are being looked up")

    def note_new(self) -> None:
        """There is a new token: what was unknown may be known now. Tokens that are remembered stay so."""
        self._generation += 1
        self._unknown.clear()

    def forget(self, hashed: bytes | None) -> None:
        """This token is good no longer, or (``None``) any may not be."""
        self.note_new()
        if hashed is None:
            self._known.clear()
        else:
            self._known.pop(hashed, None)

    @property
    def generation(self) -> int:
        """Changes with every ``forget``: what was read before it may be old."""
        return self._generation

    def remembered(self) -> Sequence[bytes]:
        """The hashes of the tokens that are good without the database."""
        return list(self._known)

    def replace(self, asked: Iterable[bytes], rows: Iterable[Row]) -> None:
        """What the table says now of the hashes it was asked for; those it does not have any more are good no longer."""
        found = {bytes(row["hash"]): _principal(row) for row in rows}
        self._generation += 1
        self._unknown.clear()
        for hashed in asked:
            if hashed in found:
                self._known[hashed] = found[hashed]
            else:
                self._known.pop(hashed, None)


def _principal(row: Row) -> Principal:
    return Principal(row["name"], frozenset(row["scopes"]))


def _remember(where: OrderedDict[bytes, ValueT], key: bytes, value: ValueT) -> None:
    where[key] = value
    if len(where) > _REMEMBERED:
        where.popitem(last=False)
