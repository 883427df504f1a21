"""The JSON schemas of what routes take and give, as ``/openapi.json`` lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from rustok_daemon.declarations import Route

from .choice import Choice
from .json_values import REFERENCE, Schema, component, storable

RULES = "schema_rules"
"""A class variable of a struct by which it states, in JSON Schema, what holds between its fields."""


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
        properties = {name: storable(_without_null(each)) for name, each in schema["properties"].items()}
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
            taken[name] = storable(components[name])
    while missing := set(_named_in(taken)) - taken.keys():
        taken |= {name: component(name) for name in missing}
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
