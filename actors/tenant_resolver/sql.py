"""The resolver's statements."""

from __future__ import annotations

from actors.identities import IdentityKind

LOAD: dict[IdentityKind, str] = {
    "uuid": """
select id, name, slug, domain, settings::text as settings, is_active, default_locale
from tenants where id = $1
""",
    "slug": """
select id, name, slug, domain, settings::text as settings, is_active, default_locale
from tenants where slug = $1
""",
    "host": """
select id, name, slug, domain, settings::text as settings, is_active, default_locale
from tenants where domain = $1
""",
}

LIST = """
select id, name, slug, domain, settings::text as settings, is_active, default_locale, created_at, updated_at
from tenants
where $1::uuid is null or id > $1
order by id
limit $2
"""
SHOW = """
select id, name, slug, domain, settings::text as settings, is_active, default_locale, created_at, updated_at
from tenants
where id = $1
"""
LOCK = """
select id, name, slug, domain, settings::text as settings, is_active, default_locale, created_at, updated_at
from tenants
where id = $1
for update
"""
INSERT = """
insert into tenants (id, name, slug, domain, settings, is_active, default_locale)
values ($1, $2, $3, $4, $5, $6, $7)
returning id, name, slug, domain, settings::text as settings, is_active, default_locale, created_at, updated_at
"""
UPDATE = """
update tenants
set name = $2, slug = $3, domain = $4, settings = coalesce($5::text::jsonb, settings), is_active = $6,
    default_locale = $7, updated_at = now()
where id = $1
returning id, name, slug, domain, settings::text as settings, is_active, default_locale, created_at, updated_at
"""
DELETE = "delete from tenants where id = $1 returning id, slug, domain"
EXISTS = "select exists (select from tenants where id = $1)"

NAMES = "select slug, domain from tenants where id = $1"
ANNOUNCE = "select pg_notify('rustok_tenant_invalidate', $1)"
"""Says it to every daemon, and by the one that publishes to RusToK's servers, as the triggers do for a change."""

MODULES = """
select module_slug, enabled, settings::text as settings, updated_at
from tenant_modules
where tenant_id = $1 and ($2::text is null or module_slug > $2)
order by module_slug
limit $3
"""
PUT_MODULE = """
insert into tenant_modules (id, tenant_id, module_slug, enabled, settings)
values ($1, $2, $3, $4, coalesce($5::jsonb, '{}'))
on conflict (tenant_id, module_slug) do update
set enabled = excluded.enabled, settings = coalesce($5::jsonb, tenant_modules.settings), updated_at = now()
returning module_slug, enabled, settings::text as settings, updated_at
"""

LOCALES = """
select locale, name, native_name, is_enabled, is_default, fallback_locale
from tenant_locales
where tenant_id = $1 and ($2::text is null or locale > $2)
order by locale
limit $3
"""
UNSET_DEFAULT = """
update tenant_locales set is_default = false where tenant_id = $1 and locale <> $2 and is_default
"""
PUT_LOCALE = """
insert into tenant_locales (id, tenant_id, locale, name, native_name, is_enabled, is_default, fallback_locale)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (tenant_id, locale) do update
set name = excluded.name, native_name = excluded.native_name, is_enabled = excluded.is_enabled,
    is_default = excluded.is_default, fallback_locale = excluded.fallback_locale
returning locale, name, native_name, is_enabled, is_default, fallback_locale
"""
