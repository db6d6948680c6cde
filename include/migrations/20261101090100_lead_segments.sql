-- lead_segments: one row a branch in a region, such as schilder_noord_brabant.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.lead_segments (
    id uuid primary key default gen_random_uuid(),
    code text not null unique,
    branch text not null,
    region text not null,
    country text not null default 'NL',
    postal_prefixes text[] default '{}',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint lead_segments_code_check check (code ~ '^[a-z0-9]+([_-][a-z0-9]+)*$'),
    constraint lead_segments_branch_check check (branch ~ '^[a-z0-9]+([_-][a-z0-9]+)*$'),
    constraint lead_segments_region_check check (region ~ '^[a-z0-9]+([_-][a-z0-9]+)*$'),
    constraint lead_segments_country_check check (country ~ '^[A-Z]{2}$'),
    constraint lead_segments_postal_prefixes_check check (
        array_position(postal_prefixes, null) is null
        and postal_prefixes::text ~ '^\{([0-9A-Z]{1,10}(,[0-9A-Z]{1,10})*)?\}$'
    )
);

comment on table public.lead_segments is
'A branch in a region. Never deleted: set is_active to false, and its history stays.';
comment on column public.lead_segments.code is 'Unique name in lower case, such as schilder_noord_brabant.';
comment on column public.lead_segments.postal_prefixes is
'Optional first characters of postal codes, such as {50,51}. The longest prefix that fits a lead wins over its region.';

-- Indexes --------------------------------------------------------------------------------------------------------------

-- No two active segments of one branch, region and country. As ON CONFLICT target it needs the WHERE too.
create unique index lead_segments_active_key on public.lead_segments (country, branch, region) where is_active;
create index lead_segments_branch_region_idx on public.lead_segments (branch, region);

-- Kept by the database -------------------------------------------------------------------------------------------------

create trigger set_updated_at before update on public.lead_segments
for each row when (old.* is distinct from new.*) execute function private.set_updated_at();

-- Row level security: signed-in users read, admins insert and update, nobody deletes ----------------------------------

alter table public.lead_segments enable row level security;
revoke all on public.lead_segments from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.lead_segments to authenticated, service_role;
create policy signed_in_users_read on public.lead_segments
for select to authenticated using (true);
create policy admins_insert on public.lead_segments
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.lead_segments
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

grant select on public.lead_segments to lead_pipeline;
create policy pipeline_reads on public.lead_segments
for select to lead_pipeline using (true);
