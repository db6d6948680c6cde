-- lead_generation_stats: what each segment brought in, one row a segment a day.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.lead_generation_stats (
    segment_id uuid not null references public.lead_segments (id) on delete restrict,
    date date not null,
    leads_generated integer,
    leads_accepted integer,
    leads_rejected integer,
    leads_pending integer,
    google_ads_spend numeric(14, 6),
    google_ads_clicks bigint,
    google_ads_impressions bigint,
    avg_cpl numeric generated always as (google_ads_spend / nullif(leads_generated, 0)) stored,
    seo_clicks integer,
    seo_visits integer,
    microsite_visits integer,
    microsite_leads integer,
    capacity_partners integer,
    capacity_total_leads integer,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (segment_id, date),
    constraint lead_generation_stats_leads_check check (
        leads_generated >= 0 and leads_accepted >= 0 and leads_rejected >= 0 and leads_pending >= 0
    ),
    -- "Not yet decided" is a state of its own, never counted as rejected.
    constraint lead_generation_stats_leads_sum_check check (
        leads_accepted + leads_rejected + leads_pending = leads_generated
    ),
    -- NaN passes `>= 0`: only the upper bound keeps it out.
    constraint lead_generation_stats_google_ads_check check (
        google_ads_spend >= 0 and google_ads_spend < 'Infinity' and google_ads_clicks >= 0 and google_ads_impressions >= 0
    ),
    constraint lead_generation_stats_free_channels_check check (
        seo_clicks >= 0 and seo_visits >= 0 and microsite_visits >= 0 and microsite_leads >= 0
    ),
    constraint lead_generation_stats_capacity_check check (capacity_partners >= 0 and capacity_total_leads >= 0)
);

comment on table public.lead_generation_stats is
'One row a segment a day (Europe/Amsterdam). NULL = not known, 0 = known to be none.';
comment on column public.lead_generation_stats.google_ads_spend is 'EUR, to the micro.';
comment on column public.lead_generation_stats.avg_cpl is
'EUR per generated lead; computed by the database, so writers leave it out. NULL without leads.';
comment on column public.lead_generation_stats.capacity_total_leads is
'Leads that the partners of the segment could take that day, as recorded then. NULL = never recorded.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create index lead_generation_stats_date_idx on public.lead_generation_stats (date);

-- Kept by the database -------------------------------------------------------------------------------------------------

-- Triggers of one kind fire in order of name. WHEN (old.* is distinct from new.*) is refused on a table with a generated
-- column; this built-in compares the stored rows, so a rerun that changes nothing rewrites no row and moves no updated_at.
create trigger a_skip_unchanged before update on public.lead_generation_stats
for each row execute function suppress_redundant_updates_trigger();
create trigger set_updated_at before update on public.lead_generation_stats
for each row execute function private.set_updated_at();

-- Row level security: signed-in users read, admins insert and update, nobody deletes ----------------------------------

alter table public.lead_generation_stats enable row level security;
revoke all on public.lead_generation_stats from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.lead_generation_stats to authenticated, service_role;
create policy signed_in_users_read on public.lead_generation_stats
for select to authenticated using (true);
create policy admins_insert on public.lead_generation_stats
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.lead_generation_stats
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

-- Whole days only: half a day would look like a shortage and raise a budget.
grant select, insert, update on public.lead_generation_stats to lead_pipeline;
create policy pipeline_reads on public.lead_generation_stats
for select to lead_pipeline using (true);
create policy pipeline_inserts_whole_days on public.lead_generation_stats
for insert to lead_pipeline with check (date < (select public.lead_today()));
create policy pipeline_updates_whole_days on public.lead_generation_stats
for update to lead_pipeline
using (date < (select public.lead_today())) with check (date < (select public.lead_today()));
