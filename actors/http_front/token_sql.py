"""Service tokens in SQL."""

from __future__ import annotations

from rustok_daemon.declarations import Migration

CHANNEL = "rustok_token_invalidate"
"""Its payload is the hash, in hex, of a token that is good no longer, or ``+`` and that of a new one, or ``*`` for all."""
NEW = "+"

CREATE = """
create table rustok_tokens (
    id uuid primary key default gen_random_uuid(),
    name text not null unique,
    hash bytea not null unique,
    scopes text[] not null,
    created_at timestamptz not null default now()
);

create function rustok_token_changed() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'TRUNCATE' then
        perform pg_notify('rustok_token_invalidate', '*');
        return null;
    end if;
    if tg_op <> 'INSERT' then
        perform pg_notify('rustok_token_invalidate', encode(old.hash, 'hex'));
    end if;
    if tg_op <> 'DELETE' then
        perform pg_notify('rustok_token_invalidate', '+' || encode(new.hash, 'hex'));
    end if;
    return null;
end $$;

create trigger rustok_token_changed
after insert or update or delete on rustok_tokens
for each row execute function rustok_token_changed();

create trigger rustok_tokens_emptied
after truncate on rustok_tokens
for each statement execute function rustok_token_changed();
"""
MIGRATIONS = (Migration(id="rustok_20261123_000020_tokens", sql=CREATE),)

FIND = "select name, scopes from rustok_tokens where hash = $1"
FIND_ALL = "select hash, name, scopes from rustok_tokens where hash = any($1::bytea[])"
LIST = """
select id, name, scopes, created_at from rustok_tokens
where ($1::text is null or name > $1) order by name limit $2
"""
INSERT = """
insert into rustok_tokens (name, hash, scopes) values ($1, $2, $3)
returning id, name, scopes, created_at
"""
REPLACE = """
insert into rustok_tokens (name, hash, scopes) values ($1, $2, $3)
on conflict (name) do update set hash = excluded.hash, scopes = excluded.scopes
"""
REVOKE = "delete from rustok_tokens where name = $1 returning hash"
EXISTS = "select exists (select from rustok_tokens where hash = $1)"
