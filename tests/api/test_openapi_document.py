"""``/openapi.json`` is valid and says what is served; ``/docs`` shows it and loads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Annotated, Any, ClassVar, Literal

import jsonschema_rs
import msgspec
import pytest

from rustok_daemon.api import docs_page
from rustok_daemon.api.choice import Choice
from rustok_daemon.api.json_values import MAX_DEPTH
from rustok_daemon.api.openapi import document
from rustok_daemon.api.pages import Page, PageQuery
from rustok_daemon.api.problems import ProblemType
from rustok_daemon.control import routes as control
from rustok_daemon.declarations import Route

from .serving import get, post


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A thing."""

    name: Annotated[str, msgspec.Meta(min_length=1, description="what it is called")]
    kind: Literal["big", "small"] = "small"
    note: str | None = None
    settings: dict[str, Any] = {}
    anything: Any = None
    shallow: Annotated[dict[str, Any], msgspec.Meta(extra_json_schema={MAX_DEPTH: 3})] = {}

    schema_rules: ClassVar[dict[str, Any]] = {"not": {"required": ["note", "anything"]}}


class Which(Choice, frozen=True, kw_only=True):
    """One of them."""

    id: Annotated[str, msgspec.Meta(extra_json_schema={"format": "uuid"})] | None = None
    slug: str | None = None


class Filter(PageQuery, frozen=True):
    kind: Literal["big", "small"] | None = None
    exact: bool = False


async def handler(call: Any) -> None:
    return None


ROUTES = (
    get(path="/v1/things", handler=handler, scope="things:read", query=Filter, returns=Page[Thing]),
    post(
        path="/v1/things",
        handler=handler,
        scope="things:write",
        body=Thing,
        returns=Thing,
        status=201,
        problems=(409,),
        problem_types=("thing-taken",),
    ),
    Route(method="PATCH", path="/v1/things/{id}", handler=handler, summary="-", scope="x", body=Thing, returns=Thing),
    Route(method="DELETE", path="/v1/things/{id}", handler=handler, summary="-", scope="x", status=204),
    get(path="/v1/files/{tenant}/{key…}", handler=handler, returns=bytes),
    get(path="/v1/which", handler=handler, query=Which, returns=Thing),
    get(path="/ready", handler=handler, returns=dict[str, bool], other_statuses=(503,)),
    Route(method="WEBSOCKET", path="/v1/live", handler=handler, summary="-", raw=True),
    *control.ROUTES,
)
WITHOUT_NUL = "^[^\\u0000]*$"
DOCUMENT: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document(ROUTES)))


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method]
    return found


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from walk(each)


def test_it_is_openapi_3_1_with_every_reference_leading_somewhere() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    for node in walk(DOCUMENT):
        if "$ref" in node:
            found: Any = DOCUMENT
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in DOCUMENT["components"]["schemas"])


def test_every_schema_is_a_json_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_every_operation_has_what_openapi_requires_and_an_id_of_its_own() -> None:
    operations = [each for methods in DOCUMENT["paths"].values() for each in methods.values()]
    ids = [each["operationId"] for each in operations]
    assert len(set(ids)) == len(ids)
    for each in operations:
        assert all(response["description"] for response in each["responses"].values())
        assert each["summary"]
    for path, methods in DOCUMENT["paths"].items():
        for each in methods.values():
            named = [parameter["name"] for parameter in each["parameters"] if parameter["in"] == "path"]
            assert named == re.findall(r"\{(.+?)\}", path)


def test_statuses_are_those_of_the_machinery_and_of_the_route() -> None:
    everywhere = {"400", "431", "500", "503"}
    assert set(operation("get", "/ready")["responses"]) == {"200"} | everywhere
    guarded = everywhere | {"401", "403"}
    assert set(operation("get", "/v1/things")["responses"]) == {"200", "404"} | guarded
    assert set(operation("delete", "/v1/things/{id}")["responses"]) == {"204", "404"} | guarded
    with_body = guarded | {"408", "413", "415", "422"}
    assert set(operation("post", "/v1/things")["responses"]) == {"201", "409"} | with_body


def test_what_comes_with_which_status() -> None:
    responses = operation("post", "/v1/things")["responses"]
    assert responses["201"]["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
    assert set(responses["409"]["content"]) == {"application/problem+json"}
    assert "content" not in operation("delete", "/v1/things/{id}")["responses"]["204"]
    ready = operation("get", "/ready")["responses"]["503"]["content"]
    assert set(ready) == {"application/json", "application/problem+json"}
    assert "Retry-After" in responses["503"]["headers"]
    assert "WWW-Authenticate" in responses["401"]["headers"]


def test_scopes_are_told() -> None:
    assert operation("get", "/v1/things")["security"] == [{"token": []}]
    assert operation("get", "/v1/things")["x-scope"] == "things:read"
    assert "security" not in operation("get", "/ready")


def test_parameters_of_the_query_are_spelled_out_and_never_null() -> None:
    parameters = {each["name"]: each for each in operation("get", "/v1/things")["parameters"]}
    assert set(parameters) == {"limit", "cursor", "kind", "exact"}
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}
    assert parameters["cursor"]["schema"] == {
        "type": "string",
        "minLength": 1,
        "maxLength": 1024,
        "pattern": WITHOUT_NUL,
    }
    assert parameters["kind"]["schema"] == {"enum": ["big", "small"]}
    assert not any(each["required"] for each in parameters.values())
    assert "Filter" not in DOCUMENT["components"]["schemas"]


def body_validator() -> Any:
    schema = {"$ref": "#/components/schemas/Thing", "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for(schema)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a"},
        {"name": "a", "settings": {"k": [1, None, {"deep": "é"}]}, "anything": ["x"]},
        {"name": "a\n", "note": None},
        {"name": "a", "shallow": {"2": {"3": 1, "4": []}, "5": [1, {}]}},
    ],
)
def test_the_schema_of_a_body_takes_what_the_route_takes(body: dict[str, Any]) -> None:
    assert body_validator().is_valid(body)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a\0"},
        {"name": "a", "settings": {"k": ["x", {"deep": "\0"}]}},
        {"name": "a", "settings": {"\0": 1}},
        {"name": "a", "anything": {"k\0": 1}},
        {"name": "a", "note": "x", "anything": 1},
        {"name": "a", "shallow": {"2": {"3": [4]}}},
        {"name": "a", "shallow": {"2": {"3": {"4": 1}}}},
    ],
    ids=["name", "value", "key", "in anything", "a rule between fields", "a deep list", "a deep object"],
)
def test_the_schema_of_a_body_has_no_nul_anywhere_nothing_too_deep_and_the_struct_s_own_rules(
    body: dict[str, Any],
) -> None:
    assert not body_validator().is_valid(body)


def test_a_choice_is_one_parameter_spread_over_the_query() -> None:
    (choice,) = operation("get", "/v1/which")["parameters"]
    assert (choice["in"], choice["style"], choice["explode"], choice["required"]) == ("query", "form", True, True)
    valid = jsonschema_rs.validator_for(choice["schema"])
    assert valid.is_valid({"slug": "demo"})
    for wrong in ({}, {"id": "a", "slug": "b"}, {"nope": "x"}, {"slug": "\0"}):
        assert not valid.is_valid(wrong)


def test_a_patch_takes_a_merge_patch() -> None:
    assert set(operation("patch", "/v1/things/{id}")["requestBody"]["content"]) == {
        "application/json",
        "application/merge-patch+json",
    }


def test_the_types_of_problems_are_an_enum_of_the_engine_s_and_the_routes_own() -> None:
    names = DOCUMENT["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert {f"urn:rustok:{name}" for name in ProblemType} < set(names)
    assert {"urn:rustok:thing-taken", "urn:rustok:bad-configuration"} < set(names)
    assert len(set(names)) == len(names)


def test_websockets_and_heads_are_left_out() -> None:
    assert "/v1/live" not in DOCUMENT["paths"]
    assert not any("head" in methods for methods in DOCUMENT["paths"].values())


class Loads(HTMLParser):
    """Notes everything by which a page can load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "link", "img", "iframe", "object", "embed", "base", "form") or "src" in values:
            self.loads.append(tag)
        self.links += [values["href"] or ""] if "href" in values else []
        self.ids |= {values["id"] or ""} if "id" in values else set()


@pytest.fixture(scope="module")
def page() -> str:
    return docs_page.page(DOCUMENT).decode()


def test_the_page_loads_nothing_and_its_links_lead_somewhere(page: str) -> None:
    seen = Loads()
    seen.feed(page)
    assert seen.loads == []
    assert "@import" not in page
    assert "url(" not in page
    for link in seen.links:
        assert link == "/openapi.json" or link.removeprefix("#") in seen.ids


def test_the_page_shows_every_operation_with_its_scope(page: str) -> None:
    for path, methods in DOCUMENT["paths"].items():
        assert path in page
        for each in methods.values():
            assert each.get("x-scope", "open") in page


def test_the_page_escapes_what_it_shows() -> None:
    route = get(path="/v1/<x>", handler=handler)
    shown = docs_page.page(document([msgspec.structs.replace(route, summary="<script>alert(1)</script>")])).decode()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
