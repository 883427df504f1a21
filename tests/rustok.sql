-- The tables of the tenant path as RusToK's migrations leave them, and its migrator's own list.
create table tenants (
    id uuid not null primary key,
    name varchar(255) not null,
    slug varchar(64) not null unique,
    domain varchar(255) unique,
    settings jsonb not null default '{}',
    default_locale varchar(5) not null default 'en',
    is_active bool not null default true,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp
);
create index idx_tenants_slug on tenants (slug);
create index idx_tenants_domain on tenants (domain);
create table tenant_modules (
    id uuid not null primary key,
    tenant_id uuid not null,
    module_slug varchar(64) not null,
    enabled bool not null default true,
    settings jsonb not null default '{}',
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp,
    constraint fk_tenant_modules_tenant_id foreign key (tenant_id) references tenants (id) on delete cascade
);
create unique index idx_tenant_modules_unique on tenant_modules (tenant_id, module_slug);
create table tenant_locales (
    id uuid not null primary key,
    tenant_id uuid not null,
    locale varchar(5) not null,
    name varchar(50) not null,
    native_name varchar(50) not null,
    is_default bool not null default false,
    is_enabled bool not null default true,
    fallback_locale varchar(5),
    created_at timestamptz not null default current_timestamp,
    foreign key (tenant_id) references tenants (id) on delete cascade
);
create unique index idx_tenant_locales_unique on tenant_locales (tenant_id, locale);
alter table tenants add column metadata jsonb not null default '{}';
create index idx_tenants_metadata on tenants (metadata);
create table seaql_migrations (version varchar not null primary key, applied_at bigint not null);
insert into seaql_migrations values ('m20250101_000001_create_tenants', 1), ('m20250101_000003_create_tenant_modules', 2);
