-- Whether it adds up: what segments got, what belongs to none, and what the source says of the whole account.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.channel_totals (
    channel text not null,
    account text not null,
    date date not null,
    metric text not null,
    segments integer not null,
    in_segments numeric(20, 6),
    in_none numeric(20, 6) not null,
    not_counted numeric(20, 6) not null default 0,
    left_out numeric(20, 6) default 0,
    reported numeric(20, 6),
    tolerance numeric(20, 6) not null default 0,
    level text not null default 'warn',
    difference numeric(20, 6) generated always as (
        in_segments + in_none + not_counted + left_out - reported
    ) stored,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (channel, account, date, metric),
    constraint channel_totals_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint channel_totals_metric_check check (metric ~ '^[a-z][a-z0-9_]*$'),
    constraint channel_totals_account_check check (account <> ''),
    constraint channel_totals_segments_check check (segments >= 0),
    constraint channel_totals_tolerance_check check (tolerance >= 0 and tolerance < 'Infinity'),
    constraint channel_totals_level_check check (level in ('stop', 'warn', 'info'))
);

comment on table public.channel_totals is
'One row a (channel, account, day, metric): in_segments + in_none + not_counted + left_out = reported, within the tolerance.';
comment on column public.channel_totals.metric is
'spend (EUR), impressions, clicks, conversions, sessions, leads, or capacity (accepted leads a day).';
comment on column public.channel_totals.segments is 'How many segments in_segments is the sum of.';
comment on column public.channel_totals.in_segments is
'What channel_metrics holds for all segments, active or not; NULL = the day was not read.';
comment on column public.channel_totals.in_none is 'What belongs to no segment.';
comment on column public.channel_totals.not_counted is
'What belongs to a segment and is not what is counted: sessions of the main site that no free search brought, leads that are none.';
comment on column public.channel_totals.left_out is
'What belongs to a segment and was not believed; NULL = a number that cannot be true was among it.';
comment on column public.channel_totals.reported is
'What the source says of the whole account, asked for separately; NULL = it was not asked.';
comment on column public.channel_totals.tolerance is 'The largest difference that the source itself explains.';
comment on column public.channel_totals.level is 'How bad a difference beyond the tolerance is: stop holds the budgets of the account.';
comment on column public.channel_totals.difference is
'What is counted too much (above 0) or is missing (below 0); NULL = it cannot be said.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create index channel_totals_date_idx on public.channel_totals (date);

-- Kept by the database -------------------------------------------------------------------------------------------------

create trigger a_skip_unchanged before update on public.channel_totals
for each row execute function suppress_redundant_updates_trigger();
create trigger set_updated_at before update on public.channel_totals
for each row execute function private.set_updated_at();

-- Row level security: signed-in users read, admins insert and update, nobody deletes ----------------------------------

alter table public.channel_totals enable row level security;
revoke all on public.channel_totals from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.channel_totals to authenticated, service_role;
create policy signed_in_users_read on public.channel_totals
for select to authenticated using (true);
create policy admins_insert on public.channel_totals
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.channel_totals
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

grant select, insert, update on public.channel_totals to lead_pipeline;
create policy pipeline_reads on public.channel_totals
for select to lead_pipeline using (true);
create policy pipeline_inserts_whole_days on public.channel_totals
for insert to lead_pipeline with check (date < (select public.lead_today()));
create policy pipeline_updates_whole_days on public.channel_totals
for update to lead_pipeline
using (date < (select public.lead_today())) with check (date < (select public.lead_today()));
