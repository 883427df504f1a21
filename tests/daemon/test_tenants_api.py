"""Tenants, modules and locales over the API: what is written is what the next request sees."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.daemon_process import Daemon, daemon

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("tenants_api")]

DEMO = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(scope="module")
def made() -> Iterator[Daemon]:
    with daemon({"redis.url": "off"}) as running:
        running.start()
        yield running


@pytest.fixture
def http(made: Daemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=made.url, headers=made.headers, timeout=15) as client:
        yield client


@pytest.fixture
def shop(http: httpx.Client, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A tenant of this test alone."""
    slug = "s-" + request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:50].strip("-")
    answer = http.post("/v1/tenants", json={"name": "Shop", "slug": slug, "domain": f"{slug}.example"})
    assert answer.status_code == 201, answer.text
    yield answer.json()
    http.delete(f"/v1/tenants/{answer.json()['id']}")


def resolved(http: httpx.Client, **params: str) -> tuple[int, str]:
    answer = http.get("/v1/tenants/resolve", params=params)
    return answer.status_code, answer.headers["X-Tenant-Cache"]


def soon(http: httpx.Client, expected: tuple[int, str], **params: str) -> None:
    """The status is right at once; the source when the change's own notification has come back as well."""
    deadline = time.monotonic() + 5
    while (found := resolved(http, **params)) != expected:
        assert found == (expected[0], "miss")
        assert time.monotonic() < deadline


def problem(answer: httpx.Response) -> tuple[int, str, str | None]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    return answer.status_code, body["type"].removeprefix("urn:rustok:"), body.get("field")


def test_d08_a_tenant_made_is_found_at_once_under_every_name(http: httpx.Client) -> None:
    assert resolved(http, slug="fresh") == (404, "miss")
    soon(http, (404, "negative"), slug="fresh")
    answer = http.post("/v1/tenants", json={"name": "Fresh", "slug": "fresh", "domain": "fresh.example"})
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["Location"] == f"/v1/tenants/{made['id']}"
    assert UUID(made["id"]).int >> 80 > 1_600_000_000_000, "a ULID: it begins with the time"
    assert resolved(http, slug="fresh") == (200, "miss")
    soon(http, (200, "hit"), host="fresh.example")
    soon(http, (200, "hit"), id=made["id"])
    assert http.get(answer.headers["Location"]).json() == made


def test_d08_a_change_is_seen_at_once_and_merges(http: httpx.Client, shop: dict[str, Any]) -> None:
    path = f"/v1/tenants/{shop['id']}"
    http.patch(path, json={"settings": {"a": 1, "b": {"c": 2, "d": 3}}})
    assert resolved(http, host=shop["domain"])[0] == 200
    merge = {"Content-Type": "application/merge-patch+json"}
    answer = http.patch(path, json={"domain": "moved.example", "settings": {"b": {"d": None}}}, headers=merge)
    assert answer.status_code == 200
    assert answer.json()["settings"] == {"a": 1, "b": {"c": 2}}
    assert answer.json()["slug"] == shop["slug"]
    assert resolved(http, host=shop["domain"]) == (404, "miss")
    assert resolved(http, host="moved.example") == (200, "miss")
    assert http.patch(path, json={"domain": None}).json()["domain"] is None
    assert resolved(http, host="moved.example")[0] == 404


def test_d12_a_tenant_switched_off_is_403_at_once_and_back_again(http: httpx.Client, shop: dict[str, Any]) -> None:
    path = f"/v1/tenants/{shop['id']}"
    assert resolved(http, slug=shop["slug"])[0] == 200
    http.patch(path, json={"is_active": False})
    assert resolved(http, slug=shop["slug"]) == (403, "miss")
    soon(http, (403, "negative"), host=shop["domain"])
    http.patch(path, json={"is_active": True})
    assert resolved(http, host=shop["domain"]) == (200, "miss")


def test_a_deleted_tenant_is_gone_with_what_belongs_to_it(http: httpx.Client, shop: dict[str, Any]) -> None:
    path = f"/v1/tenants/{shop['id']}"
    http.put(f"{path}/modules/blog", json={"enabled": True})
    assert resolved(http, slug=shop["slug"])[0] == 200
    assert http.delete(path).status_code == 204
    assert resolved(http, slug=shop["slug"]) == (404, "miss")
    for gone in (path, f"{path}/modules", f"{path}/locales"):
        assert problem(http.get(gone)) == (404, "unknown-tenant", None)
    assert problem(http.delete(path)) == (404, "unknown-tenant", None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "X", "slug": "demo"}, (409, "slug-taken", "slug")),
        ({"name": "X", "slug": "x", "domain": "demo.localhost"}, (409, "domain-taken", "domain")),
        ({"name": "X", "slug": "admin"}, (422, "reserved-slug", "slug")),
        ({"name": "X", "slug": "Not One"}, (422, "invalid-body", "slug")),
        ({"name": "", "slug": "x"}, (422, "invalid-body", "name")),
        ({"slug": "x"}, (422, "invalid-body", "name")),
        ({"name": "X", "slug": "x", "domain": "a..b"}, (422, "invalid-body", "domain")),
        ({"name": "X", "slug": "x", "settings": []}, (422, "invalid-body", "settings")),
        ({"name": "X", "slug": "x", "settings": {"a": "x" * 20_000}}, (422, "invalid-body", "settings")),
        ({"name": "X", "slug": "x", "colour": "red"}, (422, "invalid-body", "colour")),
        ({"name": "X", "slug": "x", "default_locale": "english"}, (422, "invalid-body", "default_locale")),
    ],
)
def test_what_is_refused_names_the_field(http: httpx.Client, body: Any, expected: tuple[int, str, str]) -> None:
    assert problem(http.post("/v1/tenants", json=body)) == expected


def test_a_change_that_collides_changes_nothing(http: httpx.Client, shop: dict[str, Any]) -> None:
    path = f"/v1/tenants/{shop['id']}"
    assert problem(http.patch(path, json={"slug": "demo", "name": "Other"})) == (409, "slug-taken", "slug")
    assert http.get(path).json() == shop


def test_the_default_tenant_cannot_be_deleted(http: httpx.Client) -> None:
    assert problem(http.delete(f"/v1/tenants/{DEMO}")) == (409, "default-tenant", None)


def test_an_id_that_is_none_is_404(http: httpx.Client) -> None:
    assert problem(http.get("/v1/tenants/demo")) == (404, "unknown-tenant", None)
    assert problem(http.patch("/v1/tenants/demo", json={})) == (404, "unknown-tenant", None)


def test_a_list_is_read_in_pages(http: httpx.Client) -> None:
    for n in range(5):
        http.post("/v1/tenants", json={"name": f"P{n}", "slug": f"page-{n}"})
    everything = http.get("/v1/tenants", params={"limit": 500}).json()["items"]
    found, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = http.get("/v1/tenants", params=params).json()
        found += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
        assert len(answer["items"]) == 2
    assert found == everything
    assert [each["id"] for each in found] == sorted(each["id"] for each in found)


def test_modules_are_switched_and_keep_settings_that_are_not_given(http: httpx.Client, shop: dict[str, Any]) -> None:
    path = f"/v1/tenants/{shop['id']}/modules"
    assert http.get(path).json() == {"items": [], "next": None}
    assert http.put(f"{path}/blog", json={"enabled": True, "settings": {"a": 1}}).status_code == 200
    changed = http.put(f"{path}/blog", json={"enabled": False}).json()
    assert (changed["slug"], changed["enabled"], changed["settings"]) == ("blog", False, {"a": 1})
    assert [module["slug"] for module in http.get(path).json()["items"]] == ["blog"]
    assert problem(http.put(f"{path}/Blog!", json={"enabled": True}))[0] == 404
    assert problem(http.put(f"{path}/blog", json={}))[2] == "enabled"


def test_a_tenant_has_one_default_locale(http: httpx.Client, shop: dict[str, Any]) -> None:
    path = f"/v1/tenants/{shop['id']}/locales"
    english = {"name": "English", "native_name": "English", "is_default": True}
    german = {"name": "German", "native_name": "Deutsch", "is_default": True, "fallback_locale": "en"}
    assert http.put(f"{path}/en", json=english).json()["is_default"] is True
    assert http.put(f"{path}/de", json=german).json()["fallback_locale"] == "en"
    defaults = {each["locale"]: each["is_default"] for each in http.get(path).json()["items"]}
    assert defaults == {"de": True, "en": False}


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"is_default": True, "is_enabled": False}, "is_enabled"), ({"fallback_locale": "de"}, "fallback_locale")],
)
def test_locales_that_contradict_themselves_are_refused(http: httpx.Client, changes: Any, field: str) -> None:
    body = {"name": "German", "native_name": "Deutsch", **changes}
    assert problem(http.put(f"/v1/tenants/{DEMO}/locales/de", json=body)) == (422, "invalid-body", field)


def test_an_invalidation_is_applied_before_it_is_acknowledged(http: httpx.Client, shop: dict[str, Any]) -> None:
    soon(http, (200, "hit"), slug=shop["slug"])
    answer = http.post(f"/v1/tenants/{shop['id']}/invalidate")
    assert (answer.status_code, answer.json()) == (202, {"announced": True})
    assert resolved(http, host=shop["domain"]) == (200, "miss")


def test_resolve_says_what_it_was_given_wrongly(http: httpx.Client) -> None:
    assert problem(http.get("/v1/tenants/resolve", params={"slug": "a", "host": "b"})) == (
        400,
        "invalid-identifier",
        "host",
    )
    assert problem(http.get("/v1/tenants/resolve")) == (400, "invalid-identifier", None)
    assert problem(http.get("/v1/tenants/resolve", headers={"X-Tenant-ID": "a_b"})) == (400, "invalid-identifier", None)
    headers = {"X-Tenant-ID": DEMO, "X-Tenant-Slug": "other"}
    assert problem(http.get("/v1/tenants/resolve", headers=headers)) == (400, "conflicting-tenant", None)


def test_d26_the_answer_has_all_of_the_tenant(http: httpx.Client) -> None:
    assert http.get("/v1/tenants/resolve", params={"slug": "demo"}).json() == {
        "id": DEMO,
        "name": "Demo Tenant",
        "slug": "demo",
        "domain": "demo.localhost",
        "settings": {},
        "is_active": True,
        "default_locale": "en",
    }


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"X-Tenant-ID": "demo"}, 204, None),
        ({"X-Tenant-ID": "nobody-at-all"}, 403, "unknown"),
        ({"X-Tenant-ID": "a_b"}, 403, "invalid"),
        ({}, 403, "invalid"),
        ({"X-Tenant-ID": DEMO, "X-Tenant-Slug": "other"}, 403, "invalid"),
    ],
)
def test_authorize_needs_no_token_and_gives_its_reason(
    made: Daemon, headers: dict[str, str], status: int, reason: str | None
) -> None:
    answer = httpx.get(f"{made.url}/v1/tenants/authorize?slug=whatever", headers=headers)
    assert (answer.status_code, answer.headers.get("X-Tenant-Reason")) == (status, reason)
    assert answer.headers.get("X-Tenant-Slug") == ("demo" if status == 204 else None)


def test_d10_forwarded_hosts_count_only_from_peers_that_are_trusted() -> None:
    settings = {"redis.url": "off", "tenant.resolution": "host", "http.authorize_from": '["192.0.2.0/24"]'}
    with daemon(settings) as made:
        made.start()
        headers = {"X-Forwarded-Host": "demo.localhost"}
        with httpx.Client(base_url=made.url, headers=made.headers) as http:
            assert http.get("/v1/tenants/resolve", headers=headers).status_code == 404, "127.0.0.1 is the host then"
            assert http.get("/v1/tenants/authorize", headers=headers).status_code == 403
            made_known = http.get("/v1/tenants/resolve", headers={"Host": "demo.localhost:1"})
            assert made_known.json()["slug"] == "demo"
        assert made.stop() == 0
