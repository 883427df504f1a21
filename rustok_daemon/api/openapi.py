"""``/openapi.json``: OpenAPI 3.1 out of the declarations, so that it cannot differ from what is served."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from rustok_daemon import __version__
from rustok_daemon.declarations import Route

from .json_values import REFERENCE
from .pages import PageQuery
from .problems import CONTENT_TYPE, URN, ProblemType
from .schemas import Schemas

_PARAMETER = re.compile(r"\{([^}…]+)…?\}")
_TEXT = {"schema": {"type": "string"}}
_HEADERS = {
    401: {"WWW-Authenticate": {"description": "How to come back", **_TEXT}},
    503: {"Retry-After": {"description": "Seconds until a second try may succeed", **_TEXT}},
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document as plain data. A HEAD is not listed beside its GET, nor are WebSockets, which OpenAPI lacks."""
    served = [route for route in routes if route.method not in ("WEBSOCKET", "HEAD")]
    schemas = Schemas(served)
    paths: dict[str, dict[str, Any]] = {}
    for route in served:
        paths.setdefault(route.path.replace("…}", "}"), {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rustok-daemon",
            "version": __version__,
            "description": "The internal API of the platform's background daemon.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**schemas.components, "Problem": _problem(served)},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _problem(routes: Iterable[Route]) -> dict[str, Any]:
    names = [*ProblemType, *sorted({name for route in routes for name in route.problem_types} - set(ProblemType))]
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "enum": [URN + name for name in names]},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "field": {"type": "string", "description": "what in the input is wrong"},
            "request_id": {"type": "string"},
        },
    }


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', route.path.lower()).strip('_')}",
        "tags": [route.tag or _tag(route.path)],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in _PARAMETER.findall(route.path)
        ],
        "responses": _responses(route, schemas),
    }
    if route.query is not None:
        operation["parameters"] += schemas.parameters(route.query)
    if route.body is not None:
        media = "application/merge-patch+json" if route.method == "PATCH" else "application/json"
        schema = schemas.of(route.body)
        kinds = {key: {"schema": schema} for key in ("application/json", media)}
        operation["requestBody"] = {"required": True, "content": kinds}
    if route.scope is not None:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Scope: `{route.scope}`."
        operation["x-scope"] = route.scope
    return operation


def _tag(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", "v1")]
    return parts[0] if parts else "root"


def _responses(route: Route, schemas: Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status in sorted({route.status, *route.other_statuses, *_problem_statuses(route)}):
        content: dict[str, Any] = {}
        if status == route.status or status in route.other_statuses:
            content |= _good(route, schemas)
        if status != route.status:
            content[CONTENT_TYPE] = {"schema": {"$ref": REFERENCE.format(name="Problem")}}
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            **({"content": content} if content else {}),
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
    return responses


def _good(route: Route, schemas: Schemas) -> dict[str, Any]:
    if route.returns is None:
        return {}
    return {"*/*": {}} if route.returns is bytes else {"application/json": {"schema": schemas.of(route.returns)}}


def _problem_statuses(route: Route) -> set[int]:
    """What the server and the machinery around a handler may answer with, and what the route names itself."""
    found = {400, 431, 500, 503, *route.problems}
    if route.scope is not None:
        found |= {401, 403}
    if "{" in route.path or (route.query is not None and issubclass(route.query, PageQuery)):
        found |= {404}
    if route.body is not None:
        found |= {408, 413, 415, 422}
    return found
