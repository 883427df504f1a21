-- The three tables as RusToK's migrations leave them.
create table tenants (
    id uuid primary key,
    name varchar(255) not null,
    slug varchar(64) not null unique,
    domain varchar(255) unique,
    settings jsonb not null default '{}',
    default_locale varchar(5) not null default 'en',
    is_active boolean not null default true,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp,
    metadata jsonb not null default '{}'
);
create table tenant_modules (
    id uuid primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    module_slug varchar(64) not null,
    enabled boolean not null default true,
    settings jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (tenant_id, module_slug)
);
create table tenant_locales (
    id uuid primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    locale varchar(5) not null,
    name varchar(50) not null,
    native_name varchar(50) not null,
    is_default boolean not null default false,
    is_enabled boolean not null default true,
    fallback_locale varchar(5),
    created_at timestamptz not null default now(),
    unique (tenant_id, locale)
);
