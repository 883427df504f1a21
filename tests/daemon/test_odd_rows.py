"""What psql can do to a row or to the tables: it costs the tenant concerned an answer, and nobody else anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.daemon_process import Daemon, daemon
from tests.servers import PostgresProcess

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("odd_rows")]

ODD = "00000000-0000-0000-0000-0000000000dd"
INSERT = f"insert into tenants (id, name, slug, domain) values ('{ODD}', 'Odd', 'odd', 'odd.example')"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresProcess]:
    with PostgresProcess.running() as server:
        yield server


@pytest.fixture(scope="module")
def made(postgres: PostgresProcess) -> Iterator[Daemon]:
    with daemon({"database.url": postgres.url, "redis.url": "off", "tenant.breaker.failures": "1000"}) as running:
        running.start()
        yield running


@pytest.fixture
def http(made: Daemon, postgres: PostgresProcess) -> Iterator[httpx.Client]:
    """With one tenant whose row is about to become odd."""
    postgres.psql(INSERT)
    with httpx.Client(base_url=made.url, headers=made.headers, timeout=15) as client:
        yield client
        assert restarts(client) == 0, made.text()
    postgres.psql(f"delete from tenants where id = '{ODD}'")


def restarts(http: httpx.Client) -> int:
    """Of all children."""

    def total(node: dict[str, Any]) -> int:
        return int(node["restarts"]["total"]) + sum(map(total, node["children"]))

    return total(http.get("/v1/supervisor/tree").json())


def resolve(http: httpx.Client, **by: str) -> httpx.Response:
    return http.get("/v1/tenants/resolve", params=by)


@contextmanager
def changed(postgres: PostgresProcess, there: str, back: str) -> Iterator[None]:
    postgres.psql(there)
    try:
        yield
    finally:
        postgres.psql(back)


UNREADABLE = {
    "a date before Christ": "update tenants set created_at = '4713-01-01 BC'",
    "a date far away": "update tenants set updated_at = '290000-01-01'",
    "no settings": "alter table tenants alter settings drop not null; update tenants set settings = null",
    "no slug": "alter table tenants alter slug drop not null; update tenants set slug = null",
    "no word whether it is active": "alter table tenants alter is_active drop not null; update tenants set is_active = null",
}


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_row_that_cannot_be_read_fails_by_itself(http: httpx.Client, postgres: PostgresProcess, change: str) -> None:
    postgres.psql(f"{change} where id = '{ODD}'")
    answers = [
        http.patch(f"/v1/tenants/{ODD}", json={"settings": {"a": 1}}),
        http.patch(f"/v1/tenants/{ODD}", json={"name": "Still odd"}),
        http.put(f"/v1/tenants/{ODD}/modules/blog", json={"enabled": True}),
        http.put(f"/v1/tenants/{ODD}/locales/en", json={"name": "English", "native_name": "English"}),
    ]
    assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {(500, "urn:rustok:internal-error")}
    assert {answer.json()["detail"] for answer in answers} == {
        "the database holds a value of this tenant that cannot be read"
    }
    assert http.post(f"/v1/tenants/{ODD}/invalidate").status_code == 202
    assert [resolve(http, host="odd.example").status_code for _ in range(8)] in ([200] * 8, [503] * 8)
    assert resolve(http, slug="demo").status_code == 200
    assert http.delete(f"/v1/tenants/{ODD}").status_code == 204


def test_numbers_without_end_are_kept_to_the_last_digit(http: httpx.Client, postgres: PostgresProcess) -> None:
    """A PATCH rewrote what it did not name, by way of a double."""
    numbers = '"long": 1e5000, "fine": 0.1000000000000000000000000001, "whole": 123456789012345678901234567890'
    postgres.psql(f"""update tenants set settings = '{{{numbers}, "gone": 1}}' where id = '{ODD}'""")
    assert http.patch(f"/v1/tenants/{ODD}", json={"name": "Precise"}).status_code == 200
    unchanged = f"""select settings = '{{{numbers}, "gone": 1}}'::jsonb from tenants where id = '{ODD}'"""
    assert postgres.psql(unchanged) == "t"
    assert http.patch(f"/v1/tenants/{ODD}", json={"settings": {"gone": None, "new": 1.5}}).status_code == 200
    merged = f"""select settings = '{{{numbers}, "new": 1.5}}'::jsonb from tenants where id = '{ODD}'"""
    assert postgres.psql(merged) == "t"
    assert b"0.1000000000000000000000000001" in resolve(http, id=ODD).content


@pytest.mark.parametrize("settings", ["null", "[1, 2]", '"text"'])
def test_settings_that_are_no_object_are_no_obstacle(
    http: httpx.Client, postgres: PostgresProcess, settings: str
) -> None:
    postgres.psql(f"update tenants set settings = '{settings}' where id = '{ODD}'")
    named = http.patch(f"/v1/tenants/{ODD}", json={"name": "Named"})
    assert (named.status_code, named.json()["settings"]) == (200, json.loads(settings))
    merged = http.patch(f"/v1/tenants/{ODD}", json={"settings": {"a": 1}})
    assert (merged.status_code, merged.json()["settings"]) == (200, {"a": 1})


def test_patches_do_not_grow_settings_beyond_their_bound(http: httpx.Client) -> None:
    answers = [
        http.patch(f"/v1/tenants/{ODD}", json={"settings": {f"part-{number}": "x" * 9_000}}) for number in range(3)
    ]
    assert [answer.status_code for answer in answers] == [200, 422, 422]
    assert answers[1].json()["field"] == "settings"
    assert list(http.get(f"/v1/tenants/{ODD}").json()["settings"]) == ["part-0"]


@pytest.mark.parametrize("slug", ["x\r\nX-Evil: 1", "ünï", " odd\t", "x\x7f"])
def test_a_slug_that_is_no_header_is_told_percent_encoded(
    http: httpx.Client, postgres: PostgresProcess, slug: str
) -> None:
    postgres.psql(f"update tenants set slug = '{slug}' where id = '{ODD}'")
    answer = resolve(http, host="odd.example")
    assert (answer.status_code, answer.json()["slug"]) == (200, slug)
    assert httpx.QueryParams(f"slug={answer.headers['X-Tenant-Slug']}")["slug"] == slug
    assert answer.headers["X-Tenant-Slug"].isascii()
    assert "X-Evil" not in answer.headers
    assert http.get("/v1/tenants/authorize", headers={"X-Tenant-ID": ODD}).status_code == 204


def test_text_that_is_no_utf8_is_its_tenants_own_misfortune(postgres: PostgresProcess) -> None:
    """Whoever asked for it opened the breaker, and so shut the database for everybody."""
    postgres.psql("create database bytes encoding 'SQL_ASCII' template template0")
    settings = {"database.url": postgres.url_of("bytes"), "redis.url": "off", "tenant.breaker.failures": "2"}
    with daemon(settings) as made:
        made.start()
        postgres.psql(f"insert into tenants (id, name, slug) values ('{ODD}', E'\\xff', 'odd')", "bytes")
        with httpx.Client(base_url=made.url, headers=made.headers, timeout=15) as http:
            assert [resolve(http, id=ODD).status_code for _ in range(5)] == [503] * 5
            assert resolve(http, slug="demo").status_code == 200


BROKEN = {
    "a column is gone": (
        "alter table tenants rename column settings to kept",
        "alter table tenants rename column kept to settings",
    ),
    "the table is gone": ("alter table tenants rename to kept", "alter table kept rename to tenants"),
    "nothing may be written": (
        "create function refuse() returns trigger language plpgsql as "
        "'begin raise exception ''read-only'' using errcode = ''25006''; end';"
        "create trigger refuse before insert or update or delete on tenants execute function refuse()",
        "drop function refuse() cascade",
    ),
}


@pytest.mark.parametrize(("broken", "repaired"), BROKEN.values(), ids=BROKEN.keys())
def test_a_database_that_refuses_everything_is_not_the_fault_of_who_asks(
    http: httpx.Client, postgres: PostgresProcess, broken: str, repaired: str
) -> None:
    with changed(postgres, broken, repaired):
        for answer in (
            http.patch(f"/v1/tenants/{ODD}", json={"name": "Odd"}),
            http.post("/v1/tenants", json={"name": "New", "slug": "new"}),
        ):
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:rustok:unavailable")
            assert "Retry-After" in answer.headers
        assert http.post(f"/v1/tenants/{ODD}/invalidate").status_code == 202
    assert resolve(http, slug="odd").status_code == 200


def test_a_stranger_is_not_told_what_the_database_said(
    made: Daemon, http: httpx.Client, postgres: PostgresProcess
) -> None:
    with changed(postgres, *BROKEN["a column is gone"]):
        answer = httpx.get(f"{made.url}/v1/tenants/authorize", headers={"X-Tenant-Slug": "odd"})
    assert (answer.status_code, answer.json()["detail"]) == (503, "the database cannot be asked at present")
    assert "settings" in made.text().rpartition("a tenant could not be read")[2], "the operator is"


def test_a_trigger_that_drops_the_row_is_an_answer(http: httpx.Client, postgres: PostgresProcess) -> None:
    made = "create function drop_row() returns trigger language plpgsql as 'begin return null; end'"
    made += "; create trigger drop_row before insert or update on tenants for each row execute function drop_row()"
    with changed(postgres, made, "drop function drop_row() cascade"):
        patched = http.patch(f"/v1/tenants/{ODD}", json={"name": "Lost"})
        posted = http.post("/v1/tenants", json={"name": "New", "slug": "new"})
    assert [answer.status_code for answer in (patched, posted)] == [422, 422]
