-- RusToK's demo tenant. Its id is tenant.default_id, which RusToK's own seed leaves without a row (defect 6).
insert into tenants (id, name, slug, domain)
values ('00000000-0000-0000-0000-000000000001', 'Demo Tenant', 'demo', 'demo.localhost')
on conflict do nothing;

insert into tenant_modules (id, tenant_id, module_slug)
select gen_random_uuid(), t.id, module.slug
from tenants as t, unnest(array['content', 'commerce', 'pages', 'blog', 'forum', 'index']) as module(slug)
where t.slug = 'demo'
on conflict do nothing;

insert into tenant_locales (id, tenant_id, locale, name, native_name, is_default)
select gen_random_uuid(), t.id, 'en', 'English', 'English', true
from tenants as t
where t.slug = 'demo' and not exists (select from tenant_locales as l where l.tenant_id = t.id)
on conflict do nothing;
