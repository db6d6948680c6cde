-- What the sources said (channel_metrics), when they were asked (channel_fetches), what is wrong (pipeline_findings).

set local lock_timeout = '5s';

-- Tables ---------------------------------------------------------------------------------------------------------------

create table public.channel_metrics (
    segment_id uuid not null references public.lead_segments (id) on delete restrict,
    channel text not null,
    date date not null,
    account text not null,
    spend numeric(14, 6),
    impressions bigint,
    clicks bigint,
    conversions numeric(14, 6),
    daily_budget numeric(14, 6),
    visits bigint,
    microsite_visits bigint,
    microsite_leads bigint,
    leads_generated integer,
    leads_accepted integer,
    leads_rejected integer,
    leads_pending integer,
    leads_by_source jsonb,
    capacity_partners integer,
    capacity_total_leads integer,
    is_final boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- A segment may have campaigns or properties in several accounts: each is fetched alone, and the stats sum them.
    primary key (segment_id, channel, account, date),
    constraint channel_metrics_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint channel_metrics_spend_check check (spend >= 0 and spend < 'Infinity'),
    constraint channel_metrics_conversions_check check (conversions >= 0 and conversions < 'Infinity'),
    constraint channel_metrics_daily_budget_check check (daily_budget >= 0 and daily_budget < 'Infinity'),
    constraint channel_metrics_counts_check check (
        impressions >= 0 and clicks >= 0 and visits >= 0 and microsite_visits >= 0 and microsite_leads >= 0
    ),
    constraint channel_metrics_leads_check check (
        leads_generated >= 0 and leads_accepted >= 0 and leads_rejected >= 0 and leads_pending >= 0
    ),
    constraint channel_metrics_leads_sum_check check (
        leads_accepted + leads_rejected + leads_pending = leads_generated
    ),
    constraint channel_metrics_leads_by_source_check check (jsonb_typeof(leads_by_source) = 'object'),
    constraint channel_metrics_capacity_check check (capacity_partners >= 0 and capacity_total_leads >= 0)
);

comment on table public.channel_metrics is
'One row a (segment, channel, account, day), summed over campaigns, as the source gave it. Not fetched = no row; none = 0.';
comment on column public.channel_metrics.channel is 'google_ads, search_console, ga4, leads or partner_capacity.';
comment on column public.channel_metrics.spend is 'EUR.';
comment on column public.channel_metrics.daily_budget is 'EUR: the daily budget in force that day, summed over the campaigns.';
comment on column public.channel_metrics.leads_by_source is
'Channel leads only: {"google_ads": {"generated": 3, "accepted": 1, "rejected": 1, "pending": 1}, "unknown": {...}}.';
comment on column public.channel_metrics.is_final is 'false = the source says that the numbers of this day may still change.';

create table public.channel_fetches (
    id bigint generated always as identity primary key,
    channel text not null,
    account text,
    date_from date not null,
    date_to date not null,
    row_count integer not null,
    dag_run_id text,
    fetched_at timestamptz not null default now(),
    constraint channel_fetches_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint channel_fetches_dates_check check (date_from <= date_to),
    constraint channel_fetches_row_count_check check (row_count >= 0)
);

comment on table public.channel_fetches is
'One row a fetch that succeeded. How fresh a channel is, is read here, so that unchanged metrics need no rewrite.';
comment on column public.channel_fetches.account is
'Account at the channel; leads_db for what the company''s own database gave (leads, partner_capacity).';
comment on column public.channel_fetches.date_to is 'Last day of the fetch, included.';

create table public.pipeline_findings (
    id bigint generated always as identity primary key,
    name text not null,
    level text not null,
    segment_id uuid references public.lead_segments (id) on delete restrict,
    channel text,
    date date,
    subject text,
    detail text not null,
    remediation text,
    first_seen timestamptz not null default now(),
    last_seen timestamptz not null default now(),
    -- With ON CONFLICT on these columns a finding that is seen again moves last_seen and makes no second row.
    constraint pipeline_findings_key unique nulls not distinct (name, segment_id, channel, date, subject),
    constraint pipeline_findings_name_check check (name ~ '^[a-z][a-z0-9_]*$'),
    constraint pipeline_findings_level_check check (level in ('stop', 'warn', 'info')),
    constraint pipeline_findings_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint pipeline_findings_seen_check check (first_seen <= last_seen)
);

comment on table public.pipeline_findings is
'What a check found wrong with data or set-up, in one form for all checks. stop = a person is needed.';
comment on column public.pipeline_findings.subject is 'What it is about within the channel: a campaign, an account, a row.';
comment on column public.pipeline_findings.remediation is 'What a person can do about it.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create index channel_metrics_channel_date_idx on public.channel_metrics (channel, date);
create index channel_fetches_channel_account_idx on public.channel_fetches (channel, account, fetched_at);
create index pipeline_findings_segment_id_idx on public.pipeline_findings (segment_id) where segment_id is not null;
create index pipeline_findings_last_seen_idx on public.pipeline_findings (last_seen);

-- Kept by the database -------------------------------------------------------------------------------------------------

create trigger a_skip_unchanged before update on public.channel_metrics
for each row execute function suppress_redundant_updates_trigger();
create trigger set_updated_at before update on public.channel_metrics
for each row execute function private.set_updated_at();

-- Row level security: signed-in users read, admins insert and update, nobody deletes ----------------------------------

alter table public.channel_metrics enable row level security;
alter table public.channel_fetches enable row level security;
alter table public.pipeline_findings enable row level security;
revoke all on public.channel_metrics, public.channel_fetches, public.pipeline_findings
from public, anon, authenticated, service_role, lead_pipeline;
revoke all on sequence public.channel_fetches_id_seq, public.pipeline_findings_id_seq
from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.channel_metrics, public.channel_fetches, public.pipeline_findings
to authenticated, service_role;

create policy signed_in_users_read on public.channel_metrics
for select to authenticated using (true);
create policy admins_insert on public.channel_metrics
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.channel_metrics
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

create policy signed_in_users_read on public.channel_fetches
for select to authenticated using (true);
create policy admins_insert on public.channel_fetches
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.channel_fetches
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

create policy signed_in_users_read on public.pipeline_findings
for select to authenticated using (true);
create policy admins_insert on public.pipeline_findings
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.pipeline_findings
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

grant select, insert, update on public.channel_metrics to lead_pipeline;
create policy pipeline_reads on public.channel_metrics
for select to lead_pipeline using (true);
create policy pipeline_inserts_up_to_today on public.channel_metrics
for insert to lead_pipeline with check (date <= (select public.lead_today()));
create policy pipeline_updates_up_to_today on public.channel_metrics
for update to lead_pipeline
using (date <= (select public.lead_today())) with check (date <= (select public.lead_today()));

-- fetched_at is the database's own clock: freshness opens the way to a budget change, so it cannot be claimed.
grant select, insert (channel, account, date_from, date_to, row_count, dag_run_id)
on public.channel_fetches to lead_pipeline;
create policy pipeline_reads on public.channel_fetches
for select to lead_pipeline using (true);
create policy pipeline_inserts_up_to_today on public.channel_fetches
for insert to lead_pipeline with check (date_to <= (select public.lead_today()));

grant select, insert, update (level, detail, remediation, last_seen) on public.pipeline_findings to lead_pipeline;
create policy pipeline_reads on public.pipeline_findings
for select to lead_pipeline using (true);
create policy pipeline_inserts on public.pipeline_findings
for insert to lead_pipeline with check (true);
create policy pipeline_updates on public.pipeline_findings
for update to lead_pipeline using (true) with check (true);
