"""The resolver's steps of the schema, and the demo data."""

from __future__ import annotations

from importlib.resources import files

from rustok_daemon.declarations import Migration, Seed

_SQL = files(__package__)

TABLES = Migration(
    id="rustok_20261123_000001_tenants",
    sql=_SQL.joinpath("tables.sql").read_text("utf-8"),
    seaql=(
        "m20250101_000001_create_tenants",
        "m20250101_000003_create_tenant_modules",
        "m20250130_000004_create_tenant_locales",
    ),
)
DEMO = Seed(id="demo_tenant", sql=_SQL.joinpath("demo.sql").read_text("utf-8"))
