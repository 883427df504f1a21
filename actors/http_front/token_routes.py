"""``/v1/tokens``."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from rustok_daemon.api.call import Call, Problem, Reply
from rustok_daemon.api.pages import Page, PageQuery, decode_cursor, page
from rustok_daemon.api.problems import ProblemType
from rustok_daemon.declarations import Route
from rustok_daemon.postgres.errors import QueryFailed
from rustok_daemon.postgres.interface import Database

from .desk import Desk
from .token_sql import INSERT, LIST, REVOKE
from .tokens import hash_of, new_token

Scope = Literal[
    "admin",
    "tenants:read",
    "tenants:write",
    "events:read",
    "events:write",
    "outbox:admin",
    "mail:read",
    "mail:write",
    "storage:read",
    "storage:write",
    "identity",
    "supervisor:read",
    "supervisor:admin",
]
_UNIQUE = "23505"
_TAKEN = "name-taken"
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?!\n)$")]


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a token is called, and what it may."""

    name: Name
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1, max_length=20)]


class Token(msgspec.Struct, frozen=True):
    """A token without its secret."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime


class CreatedToken(Token, frozen=True):
    """``token`` is shown this once."""

    token: str


async def list_tokens(call: Call) -> Page[Token]:
    query: PageQuery = call.query
    after = decode_cursor(query.cursor, str) if query.cursor else None
    rows = await call.view(Database).fetch(LIST, after, query.limit + 1, name="select rustok_tokens")
    found = [Token(row["id"], row["name"], row["scopes"], row["created_at"]) for row in rows]
    return page(found, query.limit, lambda token: token.name)


async def create_token(call: Call) -> Reply:
    new: NewToken = call.body
    token = new_token()
    try:
        row = await call.view(Database).fetchrow(
            INSERT, new.name, hash_of(token.encode()), sorted(set(new.scopes)), name="insert rustok_tokens"
        )
    except QueryFailed as error:
        if error.sqlstate == _UNIQUE:
            raise Problem(409, _TAKEN, f"there is a token {new.name!r} already", field="name") from error
        raise
    assert row is not None
    made = CreatedToken(row["id"], row["name"], row["scopes"], row["created_at"], token)
    return Reply(status=201, body=made, headers={"Location": f"/v1/tokens/{new.name}", "Cache-Control": "no-store"})


async def revoke_token(call: Call) -> None:
    """Good no longer once this is answered; the other daemons hear of it at once, while their channel is up."""
    name = call.path["name"]
    hashed = await call.view(Database).fetchval(REVOKE, name, name="delete rustok_tokens")
    if hashed is None:
        raise Problem(404, ProblemType.NOT_FOUND, f"there is no token {name!r}", field="name")
    call.view(Desk).tokens.forget(bytes(hashed))


_MAKE = partial(Route, tag="tokens", scope="admin")
ROUTES = (
    _MAKE(
        method="GET",
        path="/v1/tokens",
        handler=list_tokens,
        summary="Service tokens",
        query=PageQuery,
        returns=Page[Token],
    ),
    _MAKE(
        method="POST",
        path="/v1/tokens",
        handler=create_token,
        summary="Makes one; its secret is in the answer, and nowhere else",
        body=NewToken,
        returns=CreatedToken,
        status=201,
        problems=(409,),
        problem_types=(_TAKEN,),
    ),
    _MAKE(method="DELETE", path="/v1/tokens/{name}", handler=revoke_token, summary="Revokes one", status=204),
)
