"""From bytes to the structs a route declares; what does not fit is told with the field and what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from .call import Problem
from .problems import ProblemType

_AT = re.compile(r"(.*?)(?: - at `(?:key in )?\$\.?(.*?)`)?", re.DOTALL)
_NAMED = re.compile(r"Object (?:contains unknown|missing required) field `(.+)`")
_JSON_WORDS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_PYTHON = re.compile(rf"\b(?:{'|'.join(_JSON_WORDS)})\b")
_MOST_PARAMETERS = 200
_JSON = re.compile(rb"\s*application/(?:[a-z0-9!#$&^_.+-]+\+)?json\s*(?:;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)

Decode = Callable[[bytes], Any]


def query_decoder(kind: type[msgspec.Struct]) -> Decode:
    """Reads a query string as ``kind``: words become numbers and booleans, a list takes a name several times.

    The result raises ``Problem`` 400.
    """
    fields = msgspec.structs.fields(kind)
    lists = {field.encode_name for field in fields if _is_list(field.type)}

    def decode(query_string: bytes) -> Any:
        return _checked(_gathered(query_string, lists), kind, ProblemType.INVALID_QUERY, 400, strict=False)

    return decode


def body_decoder(kind: type[Any]) -> Decode:
    """Reads JSON as ``kind``. The result raises ``Problem``: 400 for what is no JSON, 422 for what does not fit."""
    decoder = msgspec.json.Decoder(kind)

    def decode(body: bytes) -> Any:
        try:
            value = decoder.decode(body)
        except msgspec.ValidationError as error:
            raise _problem(error, ProblemType.INVALID_BODY, 422) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            detail = "the body is empty; JSON is asked for" if not body else f"this is no JSON: {error}"
            raise Problem(400, ProblemType.MALFORMED_JSON, detail) from None
        if b"\\u0000" in body:
            _refuse_nul(msgspec.json.decode(body), "")
        return value

    return decode


def check_content_type(given: bytes | None) -> None:
    """Raises ``Problem`` 415 for anything but JSON in UTF-8."""
    if given is None or not _JSON.fullmatch(given):
        raise Problem(
            415,
            ProblemType.UNSUPPORTED_MEDIA_TYPE,
            f"send the body as application/json, not {given.decode('latin-1') if given else 'without a Content-Type'}",
            headers={"Accept": "application/json"},
        )


def check_path(values: Mapping[str, str]) -> None:
    """Raises ``Problem`` 404: no name holds a NUL, and no database could look for one."""
    for name, value in values.items():
        if "\0" in value:
            raise Problem(404, ProblemType.NOT_FOUND, f"there is nothing under this {name}", field=name)


def _is_list(kind: Any) -> bool:
    return isinstance(msgspec.inspect.type_info(kind), msgspec.inspect.CollectionType) or (
        isinstance(info := msgspec.inspect.type_info(kind), msgspec.inspect.UnionType)
        and any(isinstance(each, msgspec.inspect.CollectionType) for each in info.types)
    )


def _gathered(query_string: bytes, lists: set[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in _pairs(query_string):
        if "\0" in value:
            raise _query_problem(name, "a NUL is not allowed")
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise _query_problem(name, "given twice")
        else:
            values[name] = value
    return values


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        text = query_string.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        detail = f"the query is not percent-encoded UTF-8 with at most {_MOST_PARAMETERS} parameters"
        raise Problem(400, ProblemType.INVALID_QUERY, detail) from None


def _query_problem(name: str, detail: str) -> Problem:
    return Problem(400, ProblemType.INVALID_QUERY, f"{name}: {detail}", field=name)


def _checked(value: Any, kind: Any, name: ProblemType, status: int, *, strict: bool) -> Any:
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise _problem(error, name, status) from None


def _problem(error: msgspec.ValidationError, name: ProblemType, status: int) -> Problem:
    field, detail = explain(str(error))
    return Problem(status, name, f"{field}: {detail}" if field else detail, field=field or None)


def explain(message: str) -> tuple[str, str]:
    """The field a message of msgspec speaks of (``items[0].b``; empty: the whole), and what would be right."""
    match = _AT.fullmatch(message)
    assert match is not None
    text, field = match[1], match[2] or ""
    named = _NAMED.fullmatch(text)
    if named is not None:
        field = f"{field}.{named[1]}" if field else named[1]
        text = "is missing" if "missing" in text else "there is no such field"
    return field, _in_our_words(text)


def _in_our_words(text: str) -> str:
    """Those of JSON; what stands behind ``matching`` is a pattern and stays as it is."""
    text, matching, pattern = text.replace("`", "").partition(" matching ")
    text = text.replace("Expected", "must be", 1).replace(", got", ", not", 1)
    text = _PYTHON.sub(lambda found: _JSON_WORDS[found[0]], text)
    return text[:1].lower() + text[1:] + matching + pattern


def _refuse_nul(value: Any, path: str) -> None:
    """JSON may hold a NUL in a string; text in Postgres may not."""
    if isinstance(value, str) and "\0" in value:
        raise Problem(422, ProblemType.INVALID_BODY, f"{path}: a NUL is not allowed", field=path or None)
    if isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_nul(key, path)
            _refuse_nul(item, f"{path}.{key}" if path else key)
