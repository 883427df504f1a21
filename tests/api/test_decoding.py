"""Input becomes the structs that routes declare, and what does not fit is told with its field and what would be right."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustok_daemon.api.call import Problem
from rustok_daemon.api.decoding import body_decoder, check_content_type, check_path, query_decoder


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    a: int


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z]+$")]
    number: int = 0
    items: list[Item] = []
    settings: dict[str, Any] = {}


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    slug: str | None = None
    exact: bool = False
    types: list[str] = []


read_body = body_decoder(Body)
read_query = query_decoder(Query)


def refused(decode: Any, data: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        decode(data)
    return caught.value


def test_a_body_is_read_as_its_struct() -> None:
    assert read_body(b'{"name":"ab","items":[{"a":1}]}') == Body(name="ab", items=[Item(1)])


@pytest.mark.parametrize(
    ("data", "field", "right"),
    [
        (b'{"name":1}', "name", "must be string, not integer"),
        (b'{"name":"a","number":"x"}', "number", "must be integer, not string"),
        (b'{"name":"a","number":true}', "number", "must be integer, not boolean"),
        (b'{"name":"A1"}', "name", "must be string matching regex '^[a-z]+$'"),
        (b'{"name":"a","items":[{"a":1},{"a":null}]}', "items[1].a", "must be integer, not null"),
        (b'{"name":"a","items":[{}]}', "items[0].a", "is missing"),
        (b'{"name":"a","items":[{"a":1,"b":2}]}', "items[0].b", "there is no such field"),
        (b"{}", "name", "is missing"),
        (b'{"name":"a","nmae":1}', "nmae", "there is no such field"),
        (b'{"name":"a","settings":{"k":{"x":"\\u0000"}}}', "settings.k.x", "a NUL is not allowed"),
        (b'{"name":"a","settings":{"k":[1,{"\\u0000":2}]}}', "settings.k[1]", "a NUL is not allowed"),
    ],
)
def test_422_names_the_field_and_what_would_be_right(data: bytes, field: str, right: str) -> None:
    problem = refused(read_body, data)
    assert (problem.status, problem.name, problem.field) == (422, "invalid-body", field)
    assert problem.detail == f"{field}: {right}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"name":"a"} x',
        b'{"name":"\xff"}',
        b'{"name":"\\ud800"}',
        b'\xef\xbb\xbf{"name":"a"}',
        b"NaN",
        b'{"name":"a","settings":' + b'{"x":' * 5000 + b"1" + b"}" * 5001,
    ],
    ids=["empty", "cut", "trailing", "not UTF-8", "lone surrogate", "BOM", "NaN", "too deep"],
)
def test_what_is_no_json_is_400(data: bytes) -> None:
    problem = refused(read_body, data)
    assert (problem.status, problem.name) == (400, "malformed-json")


def test_a_body_that_is_no_object_is_422_without_a_field() -> None:
    problem = refused(read_body, b"[]")
    assert (problem.status, problem.field, problem.detail) == (422, None, "must be object, not array")


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_a_struct_or_a_problem(data: bytes) -> None:
    for decode in (read_body, read_query):
        with suppress(Problem):
            assert isinstance(decode(data), Body | Query)


def test_words_of_a_query_become_values() -> None:
    assert read_query(b"limit=5&exact=true&slug=a%20b&types=x&types=y") == Query(5, "a b", True, ["x", "y"])
    assert read_query(b"") == Query()
    assert read_query(b"slug=") == Query(slug="")


@pytest.mark.parametrize(
    ("query", "field", "right"),
    [
        (b"limit=0", "limit", "must be integer >= 1"),
        (b"limit=x", "limit", "must be integer, not string"),
        (b"limit=", "limit", "must be integer, not string"),
        (b"limit=1&limit=2", "limit", "given twice"),
        (b"exact=maybe", "exact", "must be boolean, not string"),
        (b"nope=1", "nope", "there is no such field"),
        (b"slug=a%00b", "slug", "a NUL is not allowed"),
    ],
)
def test_400_names_the_parameter_and_what_would_be_right(query: bytes, field: str, right: str) -> None:
    problem = refused(read_query, query)
    assert (problem.status, problem.name, problem.field) == (400, "invalid-query", field)
    assert problem.detail == f"{field}: {right}"


@pytest.mark.parametrize("query", [b"slug=%ff", "slug=ä".encode(), b"&".join([b"types=x"] * 201)])
def test_a_query_that_is_no_utf_8_or_too_long_is_400(query: bytes) -> None:
    problem = refused(read_query, query)
    assert (problem.status, problem.field) == (400, None)


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(1, 500))
def test_what_is_percent_encoded_arrives_as_it_was(slug: str, limit: int) -> None:
    assert read_query(urlencode({"slug": slug, "limit": limit}).encode()) == Query(limit=limit, slug=slug)


@pytest.mark.parametrize(
    "given_type",
    [
        b"application/json",
        b"Application/JSON; charset=UTF-8",
        b'application/json;charset="utf-8"',
        b"application/merge-patch+json",
        b" application/json ",
    ],
)
def test_json_is_taken(given_type: bytes) -> None:
    check_content_type(given_type)


@pytest.mark.parametrize(
    "given_type", [None, b"", b"text/plain", b"application/json; charset=latin-1", b"application/jsonx", b"\xff"]
)
def test_anything_but_json_in_utf_8_is_415(given_type: bytes | None) -> None:
    with pytest.raises(Problem) as caught:
        check_content_type(given_type)
    assert (caught.value.status, caught.value.headers) == (415, {"Accept": "application/json"})


def test_a_nul_in_a_path_leads_nowhere() -> None:
    check_path({"id": "a"})
    with pytest.raises(Problem) as caught:
        check_path({"id": "a\0"})
    assert (caught.value.status, caught.value.field) == (404, "id")
