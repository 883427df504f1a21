"""The JSON schemas of what routes take and give, as ``/openapi.json`` lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from rustok_daemon.declarations import Route

from .choice import Choice

Schema = dict[str, Any]

RULES = "schema_rules"
"""A class variable of a struct by which it states, in JSON Schema, what holds between its fields."""
REFERENCE = "#/components/schemas/{name}"
_TEXT = "^[^\\u0000]*$"
"""What the API takes as text: a database cannot keep a NUL."""
_ANY = "JsonValue"
_ANY_REFERENCE = {"$ref": REFERENCE.format(name=_ANY)}
_ANY_SCHEMA: Schema = {
    "description": "Anything that JSON can hold, without NUL in its strings.",
    "anyOf": [
        {"type": ["null", "boolean", "number"]},
        {"type": "string", "pattern": _TEXT},
        {"type": "array", "items": _ANY_REFERENCE},
        {"type": "object", "propertyNames": {"pattern": _TEXT}, "additionalProperties": _ANY_REFERENCE},
    ],
}
_SAYS_MORE = ("pattern", "format", "enum", "const")


class Schemas:
    """The schemas of every type the routes name, each once."""

    def __init__(self, routes: Sequence[Route]) -> None:
        kinds = {kind for route in routes for kind in (route.body, route.returns, route.query) if kind is not None}
        ordered = [kind for kind in kinds if kind is not bytes]
        schemas, components = msgspec.json.schema_components(ordered, ref_template=REFERENCE)
        self._by_kind = dict(zip(ordered, schemas, strict=True))
        for kind in ordered:
            if rules := getattr(kind, RULES, None):
                components[self._name(kind)].update(rules)
        queries = {route.query for route in routes if route.query is not None}
        self._queries = {kind: components.pop(self._name(kind)) for kind in queries}
        self.components = _taken(components, [self._name(route.body) for route in routes if route.body is not None])

    def of(self, kind: Any) -> Any:
        return self._by_kind[kind]

    def parameters(self, kind: type[msgspec.Struct]) -> Iterator[Schema]:
        """Structs of query parameters are spelled out where they are used, not listed as schemas."""
        schema = self._queries[kind]
        properties = {name: _storable(_without_null(each)) for name, each in schema["properties"].items()}
        if issubclass(kind, Choice):
            yield _choice(schema, properties)
            return
        for name, each in properties.items():
            required = name in schema.get("required", ())
            description = {"description": each.pop("description")} if "description" in each else {}
            yield {"name": name, "in": "query", "required": required, "schema": each, **description}

    def _name(self, kind: Any) -> str:
        name: str = self._by_kind[kind]["$ref"].rpartition("/")[2]
        return name


def _choice(schema: Schema, properties: Mapping[str, Schema]) -> Schema:
    """One parameter whose members stand in the query as if they were parameters (``form``, exploded)."""
    alternatives = [
        {"type": "object", "required": [name], "properties": {name: each}, "additionalProperties": False}
        for name, each in properties.items()
    ]
    return {
        "name": "choice",
        "in": "query",
        "required": True,
        "description": schema.get("description", ""),
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "oneOf": alternatives},
    }


def _without_null(schema: Schema) -> Schema:
    """A parameter that is not given is absent and never null."""
    schema = {key: value for key, value in schema.items() if (key, value) != ("default", None)}
    choices = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        return {**schema, **choices[0]}
    return {**schema, "anyOf": choices} if choices else schema


def _taken(components: dict[str, Schema], bodies: Sequence[str]) -> dict[str, Schema]:
    """What clients send is held to more than what they are sent."""
    waiting, taken = list(bodies), dict(components)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _named_in(components[name])
            taken[name] = _storable(components[name])
    if _ANY in set(_named_in(taken)):
        taken[_ANY] = _ANY_SCHEMA
    return dict(sorted(taken.items()))


def _named_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rpartition("/")[2]
        for each in value.values():
            yield from _named_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _named_in(each)


def _storable(schema: Schema) -> Schema:
    """The schema of what also holds no NUL, at any depth."""
    found = {key: value for key, value in schema.items() if key not in ("default", "description", "title")}
    if not found:
        return {**schema, **_ANY_REFERENCE}
    made = dict(schema)
    if found.get("type") == "string" and not any(key in found for key in _SAYS_MORE):
        made["pattern"] = _TEXT
    if found == {"type": "object"}:
        made |= {"propertyNames": {"pattern": _TEXT}, "additionalProperties": _ANY_REFERENCE}
    if "properties" in made:
        made["properties"] = {name: _storable(each) for name, each in made["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict) and made[key] != _ANY_REFERENCE:
            made[key] = _storable(made[key])
    if "anyOf" in made:
        made["anyOf"] = [_storable(each) for each in made["anyOf"]]
    return made
