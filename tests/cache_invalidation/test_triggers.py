"""What the triggers say, heard by a bare connection: no listener of ours between."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.cache_invalidation.notifications import parse_notification
from actors.cache_invalidation.sql import TRIGGERS
from actors.identities import Identity, is_servable
from rustok_daemon.postgres import binaries
from tests.cache_invalidation.conftest import TenantDatabase

Heard = Callable[[str], list[str]]
QUOTE = "'"


@pytest.fixture
def heard(tenants: TenantDatabase) -> Heard:
    """Runs statements in psql, which prints what it hears on the channel, and hands back the payloads."""

    def run(sql: str) -> list[str]:
        script = f"listen rustok_tenant_invalidate;\n{sql};\n"
        command = [binaries.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", tenants.url]
        ended = subprocess.run(command, input=script, capture_output=True, text=True, check=False, timeout=30)
        assert ended.returncode == 0, ended.stderr
        lines = [line for line in ended.stdout.split("\n") if line.startswith("Asynchronous notification")]
        return [line.split('with payload "', 1)[1].rsplit('" received from', 1)[0] for line in lines]

    return run


def named(payloads: list[str]) -> set[str]:
    return {name for payload in payloads for name in json.loads(payload)}


def test_an_insert_names_the_new_tenant(heard: Heard, tenants: TenantDatabase) -> None:
    payloads = heard("insert into tenants (id, name, slug, domain) values (gen_random_uuid(), 'A', 'a', 'a.example')")
    id = tenants.psql("select id from tenants")
    assert named(payloads) == {f"uuid:{id}", "slug:a", "host:a.example"}
    assert len(payloads) == 1


def test_an_update_names_the_tenant_before_and_after(heard: Heard, tenants: TenantDatabase) -> None:
    id = tenants.add("a", "a.example")
    assert named(heard("update tenants set slug = 'b', domain = 'b.example'")) == {
        f"uuid:{id}",
        "slug:a",
        "host:a.example",
        "slug:b",
        "host:b.example",
    }
    assert named(heard("update tenants set domain = null")) == {f"uuid:{id}", "slug:b", "host:b.example"}
    moved = heard("update tenants set id = '00000000-0000-0000-0000-000000000000'")
    assert named(moved) == {f"uuid:{id}", "uuid:00000000-0000-0000-0000-000000000000", "slug:b"}


@pytest.mark.parametrize(
    "change",
    [
        "name = 'x'",
        "settings = '{\"a\": 1}'",
        "is_active = false",
        "default_locale = 'de'",
        "domain = 'other.example'",
        "slug = 'other'",
    ],
)
def test_every_column_that_is_served_is_watched(heard: Heard, tenants: TenantDatabase, change: str) -> None:
    id = tenants.add("a", "a.example")
    assert {f"uuid:{id}", "slug:a", "host:a.example"} <= named(heard(f"update tenants set {change}"))


@pytest.mark.parametrize(
    "change", ["updated_at = now()", "metadata = '{\"a\": 1}'", "name = name", "is_active = true", "slug = 'a'"]
)
def test_an_update_that_changes_nothing_served_is_silent(heard: Heard, tenants: TenantDatabase, change: str) -> None:
    tenants.add("a", "a.example")
    assert heard(f"update tenants set {change}") == []


def test_a_delete_names_the_tenant_and_its_parts_name_it_again(heard: Heard, tenants: TenantDatabase) -> None:
    id = tenants.add("a", "a.example")
    tenants.psql(f"insert into tenant_modules (id, tenant_id, module_slug) values (gen_random_uuid(), '{id}', 'blog')")
    assert named(heard("delete from tenants")) == {f"uuid:{id}", "slug:a", "host:a.example"}


def test_truncate_is_everything(heard: Heard, tenants: TenantDatabase) -> None:
    tenants.add("a")
    assert set(heard("truncate tenants cascade")) == {"*"}
    assert heard("truncate tenant_modules") == ["*"]


def test_what_no_row_was_touched_by_is_silent(heard: Heard) -> None:
    assert heard("update tenants set name = 'x'; delete from tenants; delete from tenant_modules") == []


def test_nothing_is_said_of_what_was_rolled_back(heard: Heard) -> None:
    assert heard("begin; insert into tenants (id, name, slug) values (gen_random_uuid(), 'a', 'a'); rollback") == []


@pytest.mark.parametrize("table", ["tenant_modules", "tenant_locales"])
def test_modules_and_locales_name_their_tenant(heard: Heard, tenants: TenantDatabase, table: str) -> None:
    one, two = tenants.add("one"), tenants.add("two")
    columns = {"tenant_modules": ("module_slug",), "tenant_locales": ("locale", "name", "native_name")}[table]
    names, values = ", ".join(columns), ", ".join("'de'" for _ in columns)
    insert = f"insert into {table} (id, tenant_id, {names}) values (gen_random_uuid(), '{one}', {values})"
    assert named(heard(insert)) == {f"uuid:{one}"}
    assert heard(f"update {table} set tenant_id = tenant_id") == []
    assert named(heard(f"update {table} set {columns[0]} = 'fr'")) == {f"uuid:{one}"}
    assert named(heard(f"update {table} set tenant_id = '{two}'")) == {f"uuid:{one}", f"uuid:{two}"}
    assert named(heard(f"delete from {table}")) == {f"uuid:{two}"}


MANY = "insert into tenants (id, name, slug) select gen_random_uuid(), 'x', 's' || n from generate_series(1, {}) as n"


def test_a_hundred_rows_are_named_and_more_are_everything(heard: Heard) -> None:
    assert len(named(heard(MANY.format(100)))) == 200
    assert heard("update tenants set is_active = false") != ["*"]
    assert heard("delete from tenants") != ["*"]
    assert heard(MANY.format(101)) == ["*"]
    assert heard("update tenants set is_active = false") == ["*"]
    assert heard("update tenants set is_active = false") == []
    assert heard("delete from tenants") == ["*"]


def test_no_message_reaches_the_limit_however_long_the_names(heard: Heard, tenants: TenantDatabase) -> None:
    """The longest names the columns take, in characters JSON writes with six bytes."""
    payloads = heard(
        "insert into tenants (id, name, slug, domain) select gen_random_uuid(), 'x',"
        " repeat(chr(1), 60) || to_char(n, 'FM0000'), repeat('ü', 250) || n from generate_series(1, 100) as n"
    )
    assert 1 < len(payloads) <= 20, "few"
    assert max(len(payload.encode()) for payload in payloads) < 8000
    assert len(named(payloads)) == 300
    changed = heard("update tenants set slug = reverse(slug), domain = reverse(domain)")
    assert max(len(payload.encode()) for payload in changed) < 8000
    assert len(named(changed)) == 500


def test_a_name_too_long_for_any_message_is_everything_and_no_error(heard: Heard, tenants: TenantDatabase) -> None:
    tenants.psql("alter table tenants drop constraint tenants_domain_key, alter column domain type text")
    tenants.add("a")
    assert heard("update tenants set domain = repeat('x', 9000)") == ["*"]


def test_the_migration_may_run_again_and_again(heard: Heard, tenants: TenantDatabase) -> None:
    tenants.psql(TRIGGERS.sql)
    tenants.psql(TRIGGERS.sql)
    assert len(heard("insert into tenants (id, name, slug) values (gen_random_uuid(), 'a', 'a')")) == 1


def test_the_functions_run_as_the_writer_on_a_fixed_path(tenants: TenantDatabase) -> None:
    found = tenants.psql("select proname, prosecdef, proconfig from pg_proc where proname like 'rustok%' order by 1")
    assert found.splitlines() == [
        'rustok_tenant_parts_changed|f|{"search_path=pg_catalog, pg_temp"}',
        'rustok_tenants_changed|f|{"search_path=pg_catalog, pg_temp"}',
    ]


def test_a_writer_with_no_right_but_on_the_table_is_heard_whatever_its_path(
    heard: Heard, tenants: TenantDatabase
) -> None:
    role = f"writer_{tenants.name}"
    tenants.psql(f"create role {role}; grant insert on tenants to {role}; grant usage on schema public to {role}")
    assert named(
        heard(
            f"set role {role}; set search_path = nowhere;"
            " insert into public.tenants (id, name, slug) values (gen_random_uuid(), 'a', 'a')"
        )
    ) >= {"slug:a"}


def test_upserts_merges_and_copies_are_heard(heard: Heard, tenants: TenantDatabase) -> None:
    id = tenants.add("a")
    upsert = f"insert into tenants (id, name, slug) values ('{id}', 'A', 'a') on conflict (id) do update set name = 'B'"
    assert named(heard(upsert)) == {f"uuid:{id}", "slug:a"}
    merge = "merge into tenants using (values (1)) as v on slug = 'a' when matched then update set name = 'C'"
    assert named(heard(merge)) == {f"uuid:{id}", "slug:a"}
    copied = heard(
        "copy tenants (id, name, slug) from stdin (format csv);\n00000000-0000-0000-0000-000000000009,x,y\n\\.\n"
    )
    assert named(copied) == {"uuid:00000000-0000-0000-0000-000000000009", "slug:y"}


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=64)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(slugs=st.lists(texts, min_size=1, max_size=20, unique=True))
def test_whatever_a_name_holds_the_payload_can_be_read(heard: Heard, tenants: TenantDatabase, slugs: list[str]) -> None:
    tenants.psql("truncate tenants cascade")
    rows = ", ".join(f"(gen_random_uuid(), 'x', '{slug.replace(QUOTE, QUOTE * 2)}')" for slug in slugs)
    (payload,) = heard(f"insert into tenants (id, name, slug) values {rows}")
    assert json.loads(payload)[1::2] == [f"slug:{slug}" for slug in slugs]
    names = parse_notification(payload)
    assert names is not None
    assert sum(name.kind == "uuid" for name in names) == len(slugs)
    assert {slug for slug in slugs if is_servable(Identity("slug", slug))} <= {name.value for name in names}
