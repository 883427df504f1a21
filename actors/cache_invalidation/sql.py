"""The listener's statements and its step of the schema."""

from __future__ import annotations

from importlib.resources import files

from rustok_daemon.declarations import Migration

TRIGGERS = Migration(
    id="rustok_20261123_000101_tenant_triggers",
    sql=files(__package__).joinpath("triggers.sql").read_text("utf-8"),
)

TRIGGERS_IN_PLACE = """
select count(*) = 12
from pg_trigger
where tgrelid in (to_regclass('tenants'), to_regclass('tenant_modules'), to_regclass('tenant_locales'))
  and tgname in ('rustok_insert', 'rustok_update', 'rustok_delete', 'rustok_truncate')
  and tgenabled in ('O', 'A')
"""

PUBLISHER_LOCK = 0x727573746F6B0001
"""Held by the session of the one daemon that publishes: ``rustok`` and a number."""

TAKE_PUBLISHER_LOCK = "select pg_try_advisory_lock($1::bigint)"

TENANT_NAMES = """
select id, coalesce(slug, '') as slug, domain
from tenants
where $1::uuid is null or id > $1
order by id
limit 500
"""
