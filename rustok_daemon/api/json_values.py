"""Free JSON as a client may send it: without NUL at any depth and, where a type says so, not nested too deep."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{name}"
MAX_DEPTH = "x-max-depth"
"""By ``Meta(extra_json_schema={MAX_DEPTH: 8})`` a type says how deep the values of an object may lie, itself being 1."""
TEXT = "^[^\\u0000]*$"
"""What the API takes as text: a database cannot keep a NUL."""
_NAME = "JsonValue"
_SAYS_MORE = ("pattern", "format", "enum", "const")
_SAYS_NOTHING = ("default", "description", "title", MAX_DEPTH)


def component(name: str) -> Schema:
    """The schema that ``storable`` refers to by ``name``: ``JsonValue``, or ``JsonValue3`` of three levels at most."""
    depth = int(name.removeprefix(_NAME) or 0)
    scalars = [{"type": ["null", "boolean", "number"]}, {"type": "string", "pattern": TEXT}]
    if depth == 1:
        return {"anyOf": [*scalars, {"type": "array", "maxItems": 0}, {"type": "object", "maxProperties": 0}]}
    inner = _value(depth - 1 if depth else None)
    return {"anyOf": [*scalars, {"type": "array", "items": inner}, _object(inner)]}


def storable(schema: Schema) -> Schema:
    """The schema of what ``schema`` describes and a database can keep."""
    said = {key: value for key, value in schema.items() if key not in _SAYS_NOTHING}
    if not said:
        return {**schema, **_value(None)}
    made = dict(schema)
    if said == {"type": "object"}:
        depth = schema.get(MAX_DEPTH)
        return {**made, **_object(_value(depth and depth - 1))}
    if said.get("type") == "string" and not any(key in said for key in _SAYS_MORE):
        made["pattern"] = TEXT
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = storable(made[key])
    if "properties" in made:
        made["properties"] = {name: storable(each) for name, each in made["properties"].items()}
    if "anyOf" in made:
        made["anyOf"] = [storable(each) for each in made["anyOf"]]
    return made


def _value(depth: int | None) -> Schema:
    return {"$ref": REFERENCE.format(name=f"{_NAME}{depth or ''}")}


def _object(inner: Schema) -> Schema:
    return {"type": "object", "propertyNames": {"pattern": TEXT}, "additionalProperties": inner}
