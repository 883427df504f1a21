"""A tenant's modules and locales."""

from __future__ import annotations

import re
from functools import partial

from rustok_daemon.api.call import Call, Problem
from rustok_daemon.api.pages import Page, PageQuery, decode_cursor, page
from rustok_daemon.api.problems import ProblemType
from rustok_daemon.declarations import Route
from rustok_daemon.postgres.interface import Database, Row

from . import sql
from .records import LocaleState, Module, ModuleState, TenantLocale, locale_of, module_of
from .resolve_routes import UNKNOWN
from .tenant_routes import asked, refuse_too_big, tenant_id
from .writes import PutLocale, PutModule

_MODULE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_LONGEST_LOCALE = 5


async def modules(call: Call) -> Page[Module]:
    rows = await _listed(call, sql.MODULES, "select tenant_modules")
    return page([module_of(row) for row in rows], call.query.limit, lambda module: module.slug)


async def put_module(call: Call) -> Module:
    state: ModuleState = call.body
    slug = call.path["slug"]
    if _MODULE.fullmatch(slug) is None:
        raise Problem(404, ProblemType.NOT_FOUND, "a module's slug has 1 to 64 of a-z, 0-9, - and _", field="slug")
    if isinstance(state.settings, dict):
        refuse_too_big(state.settings)
    return await asked(call, PutModule(tenant_id(call), slug, state))


async def locales(call: Call) -> Page[TenantLocale]:
    rows = await _listed(call, sql.LOCALES, "select tenant_locales")
    return page([locale_of(row) for row in rows], call.query.limit, lambda locale: locale.locale)


async def put_locale(call: Call) -> TenantLocale:
    state: LocaleState = call.body
    locale = call.path["locale"]
    if len(locale) > _LONGEST_LOCALE or _LOCALE.fullmatch(locale) is None:
        raise Problem(404, ProblemType.NOT_FOUND, "a locale is written en or en-US", field="locale")
    if state.is_default and not state.is_enabled:
        raise _impossible("is_enabled", "a default locale is enabled")
    if state.fallback_locale == locale:
        raise _impossible("fallback_locale", "a locale cannot fall back to itself")
    return await asked(call, PutLocale(tenant_id(call), locale, state))


def _impossible(field: str, detail: str) -> Problem:
    return Problem(422, ProblemType.INVALID_BODY, f"{field}: {detail}", field=field)


async def _listed(call: Call, statement: str, name: str) -> list[Row]:
    """Raises ``Problem`` 404 when the tenant does not exist: an empty list would say that it does."""
    query: PageQuery = call.query
    id = tenant_id(call)
    after = None if query.cursor is None else decode_cursor(query.cursor, str)
    database = call.view(Database)
    rows = await database.fetch(statement, id, after, query.limit + 1, name=name)
    if not rows and not await database.fetchval(sql.EXISTS, id, name="select tenants exists"):
        raise Problem(404, UNKNOWN, "there is no such tenant")
    return list(rows)


_READ = partial(Route, method="GET", scope="tenants:read", tag="tenants", query=PageQuery)
_WRITE = partial(Route, method="PUT", scope="tenants:write", tag="tenants")

ROUTES = (
    _READ(path="/v1/tenants/{id}/modules", handler=modules, summary="The modules of a tenant", returns=Page[Module]),
    _WRITE(
        path="/v1/tenants/{id}/modules/{slug}",
        handler=put_module,
        summary="Switches a module on or off",
        body=ModuleState,
        returns=Module,
    ),
    _READ(
        path="/v1/tenants/{id}/locales", handler=locales, summary="The locales of a tenant", returns=Page[TenantLocale]
    ),
    _WRITE(
        path="/v1/tenants/{id}/locales/{locale}",
        handler=put_locale,
        summary="Adds or changes a locale",
        body=LocaleState,
        returns=TenantLocale,
    ),
)
