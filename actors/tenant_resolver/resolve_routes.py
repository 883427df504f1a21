"""The two hottest routes, raw: ``resolve`` and ``authorize`` (contract.md, "HTTP")."""

from __future__ import annotations

import math
from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from actors.identities import InvalidIdentifier
from actors.messages import Resolution, Tenant, TenantDirectory, TenantUnavailable, Verdict
from rustok_daemon.api.call import Problem, RawCall
from rustok_daemon.api.forwarded import effective_host
from rustok_daemon.api.problems import ProblemType
from rustok_daemon.asgi import Fields, WholeResponse
from rustok_daemon.declarations import Route

from .desk import ResolveDesk
from .identification import Named, UnknownDomain
from .query import BadQuery, ResolveQuery, named_by

INVALID, UNKNOWN, INACTIVE = "invalid-identifier", "unknown-tenant", "inactive-tenant"
ASSERTION = "conflicting-tenant"
_DENIALS = {"invalid": INVALID, "unknown": UNKNOWN, "inactive": INACTIVE}
_JSON = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode


def resolve_at_once(call: RawCall) -> WholeResponse | None:
    """What the cache knows."""
    named = _named(call)
    resolution = call.view(TenantDirectory).peek(named.identity)
    return None if resolution is None else _answered(resolution, named)


async def resolve(call: RawCall) -> WholeResponse:
    named = _named(call)
    return _answered(await _resolved(call, named), named)


def _answered(resolution: Resolution, named: Named) -> WholeResponse:
    tenant = _served(resolution, named)
    if resolution.rendered is None:
        resolution.rendered = _rendered(tenant, resolution)
    whole: WholeResponse = resolution.rendered
    return whole


def authorize_at_once(call: RawCall) -> WholeResponse | None:
    """What the cache knows."""
    named = _named_by_headers(call)
    resolution = call.view(TenantDirectory).peek(named.identity)
    return None if resolution is None else _authorized(resolution, named)


async def authorize(call: RawCall) -> WholeResponse:
    named = _named_by_headers(call)
    return _authorized(await _resolved(call, named), named)


def _named_by_headers(call: RawCall) -> Named:
    """The query is nobody's business here: proxies hand on that of the request they ask about. Raises ``Problem``."""
    desk = call.view(ResolveDesk)
    if call.peer is not None and call.peer not in desk.authorizers:
        raise Problem(403, ProblemType.FORBIDDEN, "only peers in http.authorize_from may ask this")
    try:
        desk.identification.refuse_contradictions(call.all_headers)
        return desk.identification.identify(call.headers, effective_host(call.headers, trusted=True))
    except InvalidIdentifier:
        raise _denied("invalid") from None
    except UnknownDomain:
        raise _denied("unknown") from None


def _authorized(resolution: Resolution, named: Named) -> WholeResponse:
    tenant = resolution.tenant
    if tenant is None:
        raise _denied(resolution.verdict.value)
    if named.asserted_slug not in (None, tenant.slug):
        raise _denied("invalid")
    return WholeResponse(204, Fields(_tenant_headers(tenant, resolution)))


def _denied(reason: str) -> Problem:
    return Problem(403, _DENIALS[reason], f"the tenant is {reason}", headers={"X-Tenant-Reason": reason})


def _named(call: RawCall) -> Named:
    try:
        named = named_by(call.query_string)
        if named is not None:
            return named
        identification = call.view(ResolveDesk).identification
        identification.refuse_contradictions(call.all_headers)
        return identification.identify(call.headers, call.host)
    except BadQuery as error:
        raise Problem(400, INVALID, str(error), field=error.field) from None
    except InvalidIdentifier as error:
        raise Problem(400, INVALID, str(error)) from None
    except UnknownDomain:
        raise Problem(404, UNKNOWN, "no tenant lives below this host") from None


async def _resolved(call: RawCall, named: Named) -> Resolution:
    try:
        return await call.view(TenantDirectory).resolve(named.identity)
    except TenantUnavailable as error:
        retry_after = str(max(1, math.ceil(error.retry_after)))
        raise Problem(503, ProblemType.UNAVAILABLE, error.reason, headers={"Retry-After": retry_after}) from error


def _served(resolution: Resolution, named: Named) -> Tenant:
    tenant = resolution.tenant
    if tenant is None:
        headers = {"X-Tenant-Cache": resolution.source.value}
        if resolution.verdict is Verdict.INACTIVE:
            raise Problem(403, INACTIVE, "this tenant is inactive", headers=headers)
        raise Problem(404, UNKNOWN, "there is no such tenant", headers=headers)
    if named.asserted_slug not in (None, tenant.slug):
        raise Problem(400, ASSERTION, "X-Tenant-Slug is not the slug of the tenant that the request names")
    return tenant


def _rendered(tenant: Tenant, resolution: Resolution) -> WholeResponse:
    body = _encode(tenant)
    length = (b"content-length", b"%d" % len(body))
    return WholeResponse(200, Fields([_JSON, length, *_tenant_headers(tenant, resolution)]), body)


def _tenant_headers(tenant: Tenant, resolution: Resolution) -> Iterable[tuple[bytes, bytes]]:
    return (
        (b"x-tenant-id", str(tenant.id).encode()),
        (b"x-tenant-slug", _header_value(tenant.slug)),
        (b"x-tenant-cache", resolution.source.value.encode()),
    )


def _header_value(slug: str) -> bytes:
    """Percent-encoded when a header cannot hold it as it is: RusToK's table takes any text."""
    if slug.isascii() and slug.isprintable() and " " not in slug:
        return slug.encode()
    return quote(slug, safe="").encode()


ROUTES = (
    Route(
        method="GET",
        path="/v1/tenants/resolve",
        handler=resolve,
        at_once=resolve_at_once,
        summary="Which tenant is this? By id, slug or host, or from the request's own headers",
        scope="tenants:read",
        query=ResolveQuery,
        returns=Tenant,
        problems=(400, 403, 404, 503),
        problem_types=(INVALID, UNKNOWN, INACTIVE, ASSERTION),
        raw=True,
        tag="tenants",
    ),
    Route(
        method="GET",
        path="/v1/tenants/authorize",
        handler=authorize,
        at_once=authorize_at_once,
        summary="Forward-auth for nginx, Caddy and Traefik: 204 with the tenant's headers, or 403 with X-Tenant-Reason",
        scope=None,
        status=204,
        problems=(403, 503),
        raw=True,
        tag="tenants",
    ),
)
