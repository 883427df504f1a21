"""``/v1/tenants``: reads go to the database, writes to the resolver's mailbox."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from actors.identities import RESERVED_SLUGS, InvalidIdentifier, uuid_identity
from rustok_daemon.api.call import Call, Problem, Reply
from rustok_daemon.api.pages import Page, PageQuery, decode_cursor, page
from rustok_daemon.api.problems import ProblemType
from rustok_daemon.declarations import Route
from rustok_daemon.postgres.interface import Database
from rustok_daemon.supervision.actor import Request
from rustok_daemon.supervision.errors import AskTimeout, Interrupted

from . import sql
from .bounds import TooBig, check_settings
from .records import NewTenant, TenantPatch, TenantRecord, record_of
from .resolve_routes import UNKNOWN
from .writes import CreateTenant, DeleteTenant, InvalidateTenant, Refused, UpdateTenant, Why

ReplyT = TypeVar("ReplyT")

RESOLVER = "tenant_resolver"
_WITHIN = 15.0
_PROBLEMS: dict[Why, tuple[int, str, str | None]] = {
    "unknown_tenant": (404, UNKNOWN, None),
    "slug_taken": (409, "slug-taken", "slug"),
    "domain_taken": (409, "domain-taken", "domain"),
    "default_tenant": (409, "default-tenant", None),
    "in_use": (409, "tenant-in-use", None),
    "settings_too_big": (422, ProblemType.INVALID_BODY, "settings"),
    "rejected": (422, ProblemType.INVALID_BODY, None),
    "unreadable": (500, ProblemType.INTERNAL_ERROR, None),
    "unavailable": (503, ProblemType.UNAVAILABLE, None),
    "outcome_unknown": (503, ProblemType.OUTCOME_UNKNOWN, None),
}


class Invalidation(msgspec.Struct, frozen=True):
    """``announced``: other daemons and RusToK's servers were told, too; not while the database is down."""

    announced: bool


async def asked(call: Call, request: Request[ReplyT]) -> ReplyT:
    """The resolver's answer. Raises ``Problem`` for what it refuses, and when nobody knows what came of it."""
    try:
        return await call.actor(RESOLVER).ask(request, within=_WITHIN)
    except Refused as error:
        status, name, field = _PROBLEMS[error.why]
        headers = {"Retry-After": "1"} if status == 503 else None
        raise Problem(status, name, str(error), field=field, headers=headers) from error
    except (AskTimeout, Interrupted) as error:
        detail = f"{error}: look whether it happened before trying again"
        raise Problem(503, ProblemType.OUTCOME_UNKNOWN, detail, headers={"Retry-After": "1"}) from error


def tenant_id(call: Call) -> UUID:
    """Of the path. Raises ``Problem`` 404: what is no UUID names nobody."""
    try:
        return UUID(uuid_identity(call.path["id"]).value)
    except InvalidIdentifier:
        raise Problem(404, UNKNOWN, "there is no such tenant: ids are UUIDs") from None


async def list_tenants(call: Call) -> Page[TenantRecord]:
    query: PageQuery = call.query
    after = None if query.cursor is None else decode_cursor(query.cursor, UUID)
    rows = await call.view(Database).fetch(sql.LIST, after, query.limit + 1, name="select tenants list")
    return page([record_of(row) for row in rows], query.limit, lambda tenant: tenant.id)


async def create(call: Call) -> Reply:
    new: NewTenant = call.body
    _check_slug(new.slug)
    refuse_too_big(new.settings)
    made = await asked(call, CreateTenant(new))
    return Reply(status=201, body=made, headers={"Location": f"/v1/tenants/{made.id}"})


async def show(call: Call) -> TenantRecord:
    row = await call.view(Database).fetchrow(sql.SHOW, tenant_id(call), name="select tenants by id")
    if row is None:
        raise Problem(404, UNKNOWN, "there is no such tenant")
    return record_of(row)


async def update(call: Call) -> TenantRecord:
    patch: TenantPatch = call.body
    if isinstance(patch.slug, str):
        _check_slug(patch.slug)
    if isinstance(patch.settings, dict):
        refuse_too_big(patch.settings)
    return await asked(call, UpdateTenant(tenant_id(call), patch))


async def delete(call: Call) -> None:
    await asked(call, DeleteTenant(tenant_id(call)))


async def invalidate(call: Call) -> Reply:
    announced = await asked(call, InvalidateTenant(tenant_id(call)))
    return Reply(status=202, body=Invalidation(announced=announced))


def refuse_too_big(settings: dict[str, Any]) -> None:
    """Raises ``Problem`` 422."""
    try:
        check_settings(settings)
    except TooBig as error:
        raise Problem(422, ProblemType.INVALID_BODY, f"settings: {error}", field="settings") from None


def _check_slug(slug: str) -> None:
    if slug in RESERVED_SLUGS:
        raise Problem(422, "reserved-slug", f"slug: {slug!r} is reserved; choose another", field="slug")


_READ = partial(Route, method="GET", scope="tenants:read", tag="tenants")
_WRITE = partial(Route, scope="tenants:write", tag="tenants")
_ONE = "/v1/tenants/{id}"

ROUTES = (
    _READ(
        path="/v1/tenants",
        handler=list_tenants,
        summary="All tenants, by id",
        query=PageQuery,
        returns=Page[TenantRecord],
        problems=(404,),
    ),
    _WRITE(
        method="POST",
        path="/v1/tenants",
        handler=create,
        summary="Makes a tenant",
        body=NewTenant,
        returns=TenantRecord,
        status=201,
        problems=(409,),
        problem_types=("slug-taken", "domain-taken", "reserved-slug"),
    ),
    _READ(path=_ONE, handler=show, summary="One tenant", returns=TenantRecord),
    _WRITE(
        method="PATCH",
        path=_ONE,
        handler=update,
        summary="Changes a tenant: a merge patch",
        body=TenantPatch,
        returns=TenantRecord,
        problems=(409,),
    ),
    _WRITE(
        method="DELETE",
        path=_ONE,
        handler=delete,
        summary="Deletes a tenant and all that belongs to it",
        status=204,
        problems=(409,),
        problem_types=("default-tenant", "tenant-in-use"),
    ),
    _WRITE(
        method="POST",
        path=f"{_ONE}/invalidate",
        handler=invalidate,
        summary="Forgets what is cached of a tenant, here before the answer and elsewhere soon after",
        returns=Invalidation,
        status=202,
    ),
)
