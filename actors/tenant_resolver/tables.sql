-- RusToK's tables of the tenant path, as its migrations make them. A database that RusToK made has them: it is checked, not
-- changed. The column metadata comes with RusToK's migration 000006, which needs its table users, too.
do $$
declare
    missing text;
begin
    select string_agg(wanted.name, ', ' order by wanted.name) into missing
    from unnest(array[
        'tenants.id', 'tenants.name', 'tenants.slug', 'tenants.domain', 'tenants.settings', 'tenants.default_locale',
        'tenants.is_active', 'tenants.created_at', 'tenants.updated_at', 'tenants.metadata',
        'tenant_modules.tenant_id', 'tenant_modules.module_slug', 'tenant_modules.enabled', 'tenant_modules.settings',
        'tenant_modules.updated_at', 'tenant_locales.tenant_id', 'tenant_locales.locale', 'tenant_locales.name',
        'tenant_locales.native_name', 'tenant_locales.is_default', 'tenant_locales.is_enabled',
        'tenant_locales.fallback_locale'
    ]) as wanted(name)
    where not exists (
        select from information_schema.columns as c
        where c.table_schema = current_schema() and c.table_name || '.' || c.column_name = wanted.name
    );
    if to_regclass('tenants') is not null and missing is not null then
        raise exception 'this database has tenants, but not %: bring it up to date with its own migrator first', missing;
    end if;
end
$$;

create table if not exists tenants (
    id uuid primary key,
    name varchar(255) not null,
    slug varchar(64) not null unique,
    domain varchar(255) unique,
    settings jsonb not null default '{}',
    default_locale varchar(5) not null default 'en',
    is_active boolean not null default true,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp
);

create table if not exists tenant_modules (
    id uuid primary key,
    tenant_id uuid not null constraint fk_tenant_modules_tenant_id references tenants (id) on delete cascade,
    module_slug varchar(64) not null,
    enabled boolean not null default true,
    settings jsonb not null default '{}',
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp
);
create unique index if not exists idx_tenant_modules_unique on tenant_modules (tenant_id, module_slug);

create table if not exists tenant_locales (
    id uuid primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    locale varchar(5) not null,
    name varchar(50) not null,
    native_name varchar(50) not null,
    is_default boolean not null default false,
    is_enabled boolean not null default true,
    fallback_locale varchar(5),
    created_at timestamptz not null default current_timestamp
);
create unique index if not exists idx_tenant_locales_unique on tenant_locales (tenant_id, locale);
