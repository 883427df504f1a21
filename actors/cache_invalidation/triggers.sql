-- Says on channel rustok_tenant_invalidate which tenants a statement changed, whoever made it.
--
-- A payload is a JSON array of names, "uuid:…", "slug:…" and "host:…", before and after the change; or * for everything:
-- above 100 rows, after TRUNCATE, and for names that fit in no message.
-- The functions read no table: they need no right beyond the writer's own, and no schema on their path.

-- An UPDATE that leaves what the resolver serves as it was is silent: metadata and updated_at change far more often.
create or replace function rustok_tenants_changed() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    room constant int := 7900;  -- bytes; a payload must be shorter than 8000
    changed text[];  -- an item a row
    names text;
    message text := '';
begin
    if tg_op = 'TRUNCATE' then
        perform pg_notify('rustok_tenant_invalidate', '*');
        return null;
    elsif tg_op = 'INSERT' then
        select array_agg(found.names) into changed from (
            select concat_ws(',', to_json('uuid:' || n.id), to_json('slug:' || n.slug), to_json('host:' || n.domain)) as names
            from new_rows as n
            limit 101
        ) as found;
    elsif tg_op = 'DELETE' then
        select array_agg(found.names) into changed from (
            select concat_ws(',', to_json('uuid:' || o.id), to_json('slug:' || o.slug), to_json('host:' || o.domain)) as names
            from old_rows as o
            limit 101
        ) as found;
    else
        select array_agg(found.names) into changed from (
            select concat_ws(
                ',',
                to_json('uuid:' || o.id), to_json('slug:' || o.slug), to_json('host:' || o.domain),
                to_json(nullif('uuid:' || n.id, 'uuid:' || o.id)),
                to_json(nullif('slug:' || n.slug, 'slug:' || o.slug)),
                to_json(nullif('host:' || n.domain, 'host:' || o.domain))
            ) as names
            from old_rows as o
            full join new_rows as n on n.id = o.id
            where (o.id, o.name, o.slug, o.domain, o.settings::text, o.is_active, o.default_locale)
                is distinct from (n.id, n.name, n.slug, n.domain, n.settings::text, n.is_active, n.default_locale)
            limit 101
        ) as found;
    end if;

    if cardinality(changed) > 100 then
        perform pg_notify('rustok_tenant_invalidate', '*');
        return null;
    end if;
    foreach names in array coalesce(changed, '{}') loop
        if octet_length(names) + 2 > room then
            perform pg_notify('rustok_tenant_invalidate', '*');
            return null;
        end if;
        if octet_length(message) + octet_length(names) + 3 > room then
            perform pg_notify('rustok_tenant_invalidate', '[' || message || ']');
            message := '';
        end if;
        message := concat_ws(',', nullif(message, ''), names);
    end loop;
    if message <> '' then
        perform pg_notify('rustok_tenant_invalidate', '[' || message || ']');
    end if;
    return null;
end
$$;

-- A tenant's modules and locales: their tenant is named, before and after. The UUIDs of 100 tenants fit in one message.
create or replace function rustok_tenant_parts_changed() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    changed uuid[];  -- the tenant of each row
    names text[];
begin
    if tg_op = 'TRUNCATE' then
        perform pg_notify('rustok_tenant_invalidate', '*');
        return null;
    elsif tg_op = 'INSERT' then
        select array_agg(found.tenant_id) into changed
        from (select n.tenant_id from new_rows as n limit 101) as found;
    elsif tg_op = 'DELETE' then
        select array_agg(found.tenant_id) into changed
        from (select o.tenant_id from old_rows as o limit 101) as found;
    else
        select array_agg(found.tenant_id) into changed from (
            select tenant.id as tenant_id
            from old_rows as o
            full join new_rows as n on n.id = o.id
            cross join unnest(array[o.tenant_id, nullif(n.tenant_id, o.tenant_id)]) as tenant(id)
            where o::text is distinct from n::text and tenant.id is not null
            limit 101
        ) as found;
    end if;
    if cardinality(changed) > 100 then
        perform pg_notify('rustok_tenant_invalidate', '*');
    elsif changed is not null then
        select array_agg(distinct 'uuid:' || tenant.id) into names from unnest(changed) as tenant(id);
        perform pg_notify('rustok_tenant_invalidate', array_to_json(names)::text);
    end if;
    return null;
end
$$;

create or replace trigger rustok_insert after insert on tenants referencing new table as new_rows
    for each statement execute function rustok_tenants_changed();
create or replace trigger rustok_update after update on tenants referencing old table as old_rows new table as new_rows
    for each statement execute function rustok_tenants_changed();
create or replace trigger rustok_delete after delete on tenants referencing old table as old_rows
    for each statement execute function rustok_tenants_changed();
create or replace trigger rustok_truncate after truncate on tenants
    for each statement execute function rustok_tenants_changed();

create or replace trigger rustok_insert after insert on tenant_modules referencing new table as new_rows
    for each statement execute function rustok_tenant_parts_changed();
create or replace trigger rustok_update after update on tenant_modules referencing old table as old_rows new table as new_rows
    for each statement execute function rustok_tenant_parts_changed();
create or replace trigger rustok_delete after delete on tenant_modules referencing old table as old_rows
    for each statement execute function rustok_tenant_parts_changed();
create or replace trigger rustok_truncate after truncate on tenant_modules
    for each statement execute function rustok_tenant_parts_changed();

create or replace trigger rustok_insert after insert on tenant_locales referencing new table as new_rows
    for each statement execute function rustok_tenant_parts_changed();
create or replace trigger rustok_update after update on tenant_locales referencing old table as old_rows new table as new_rows
    for each statement execute function rustok_tenant_parts_changed();
create or replace trigger rustok_delete after delete on tenant_locales referencing old table as old_rows
    for each statement execute function rustok_tenant_parts_changed();
create or replace trigger rustok_truncate after truncate on tenant_locales
    for each statement execute function rustok_tenant_parts_changed();
