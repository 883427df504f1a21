"""The database over HTTP: for the commands that need the daemon."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import msgspec

from rustok_daemon.api.call import Call, Problem
from rustok_daemon.declarations import Route
from rustok_daemon.supervision.actor import Request
from rustok_daemon.supervision.errors import ReplyError

from .messages import MigrateNow, SchemaStatus, SeedNow, TruncateNow
from .migrations import MigrationStatus

ReplyT = TypeVar("ReplyT")

_WITHIN = 120.0
_FAILED = "database-command-failed"


class Names(msgspec.Struct, frozen=True):
    """What was done, by name."""

    items: list[str]


class Migrations(msgspec.Struct, frozen=True):
    """All steps of the schema, in order."""

    items: list[MigrationStatus]


async def migrate(call: Call) -> Names:
    return Names(await _ask(call, MigrateNow()))


async def seed(call: Call) -> Names:
    return Names(await _ask(call, SeedNow()))


async def truncate(call: Call) -> Names:
    return Names(await _ask(call, TruncateNow()))


async def status(call: Call) -> Migrations:
    return Migrations(await _ask(call, SchemaStatus()))


async def _ask(call: Call, request: Request[ReplyT]) -> ReplyT:
    try:
        return await call.actor("database").ask(request, within=_WITHIN)
    except ReplyError as error:
        raise Problem(409, _FAILED, str(error)) from error


_MAKE = partial(Route, tag="database", problems=(409,), problem_types=(_FAILED,))

ROUTES = (
    _MAKE(
        method="POST", path="/v1/database/migrate", handler=migrate, summary="Takes missing migrations", returns=Names
    ),
    _MAKE(method="POST", path="/v1/database/seed", handler=seed, summary="Runs the seeds", returns=Names),
    _MAKE(method="POST", path="/v1/database/truncate", handler=truncate, summary="Empties all tables", returns=Names),
    _MAKE(method="GET", path="/v1/database/status", handler=status, summary="Which migrations ran", returns=Migrations),
)
