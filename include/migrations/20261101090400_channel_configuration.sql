-- What marketing sets, without a deploy: the limits of each channel, what belongs to which segment, and the caps of a day.

set local lock_timeout = '5s';

-- Tables ---------------------------------------------------------------------------------------------------------------

create table public.lead_segment_channels (
    segment_id uuid not null references public.lead_segments (id) on delete restrict,
    channel text not null,
    min_daily_budget numeric(14, 6),
    max_daily_budget numeric(14, 6),
    max_increase_pct numeric,
    max_decrease_pct numeric,
    cooldown_days integer,
    is_automated boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (segment_id, channel),
    constraint lead_segment_channels_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint lead_segment_channels_min_check check (min_daily_budget >= 0 and min_daily_budget < 'Infinity'),
    constraint lead_segment_channels_max_check check (max_daily_budget >= 0 and max_daily_budget < 'Infinity'),
    constraint lead_segment_channels_range_check check (min_daily_budget <= max_daily_budget),
    constraint lead_segment_channels_increase_check check (max_increase_pct between 0 and 1000),
    constraint lead_segment_channels_decrease_check check (max_decrease_pct between 0 and 100),
    constraint lead_segment_channels_cooldown_check check (cooldown_days between 0 and 365)
);

comment on table public.lead_segment_channels is
'Limits of a channel in a segment, set by admins. A limit that is NULL is unknown, and unknown means: change nothing.';
comment on column public.lead_segment_channels.min_daily_budget is 'EUR a day, the floor.';
comment on column public.lead_segment_channels.max_daily_budget is 'EUR a day, the cap.';
comment on column public.lead_segment_channels.max_increase_pct is 'Largest step up in per cent of the budget in force: 20 = +20%.';
comment on column public.lead_segment_channels.max_decrease_pct is 'Largest step down in per cent of the budget in force: 30 = -30%.';
comment on column public.lead_segment_channels.cooldown_days is 'Days without a change after a change.';
comment on column public.lead_segment_channels.is_automated is 'May the pipeline change the budget of this channel at all?';

create table public.channel_sources (
    channel text not null,
    account text not null,
    external_id text not null,
    segment_id uuid not null references public.lead_segments (id) on delete restrict,
    description text,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (channel, account, external_id),
    constraint channel_sources_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint channel_sources_account_check check (account <> '' and account = btrim(account)),
    constraint channel_sources_external_id_check check (external_id <> '' and external_id = btrim(external_id)),
    -- Dashes in a customer id are how people write it and how no API answers it: nothing would ever match.
    constraint channel_sources_google_ads_check check (
        channel <> 'google_ads' or (account ~ '^[0-9]{10}$' and external_id ~ '^[0-9]+$')
    )
);

comment on table public.channel_sources is
'Which campaign, pages or microsite belong to which segment. google_ads: customer id, campaign id. search_console: site URL, '
'prefix of the page path (the longest wins). ga4: property id, host name of a microsite, or path:/prefix on the main site.';

create table public.orchestration_settings (
    id boolean primary key default true,
    kill_switch boolean not null default false,
    dry_run boolean not null default true,
    total_daily_cap numeric(14, 6),
    max_daily_increase numeric(14, 6),
    approval_threshold numeric(14, 6),
    currency text not null default 'EUR',
    time_zone text not null default 'Europe/Amsterdam',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint orchestration_settings_single_row_check check (id),
    constraint orchestration_settings_total_daily_cap_check check (total_daily_cap >= 0 and total_daily_cap < 'Infinity'),
    constraint orchestration_settings_max_daily_increase_check check (
        max_daily_increase >= 0 and max_daily_increase < 'Infinity'
    ),
    constraint orchestration_settings_approval_threshold_check check (
        approval_threshold >= 0 and approval_threshold < 'Infinity'
    ),
    constraint orchestration_settings_currency_check check (currency ~ '^[A-Z]{3}$'),
    constraint orchestration_settings_time_zone_check check (time_zone ~ '^[A-Z][A-Za-z_]+(/[A-Za-z_+-]+)*$')
);

comment on table public.orchestration_settings is
'One row. It starts as a dry run without caps; a cap that is NULL, like a missing row, means: change nothing.';
comment on column public.orchestration_settings.kill_switch is 'true stops every change at once; read again before each batch.';
comment on column public.orchestration_settings.dry_run is 'true: decide and explain, change nothing, log nothing.';
comment on column public.orchestration_settings.total_daily_cap is 'EUR: the sum of all daily budgets stays at or below it.';
comment on column public.orchestration_settings.max_daily_increase is 'EUR a day: all increases of one day together.';
comment on column public.orchestration_settings.approval_threshold is 'EUR a day: an increase above it waits for a person.';
comment on column public.orchestration_settings.currency is 'An ads account in another currency is held.';
comment on column public.orchestration_settings.time_zone is 'An ads account in another time zone is held.';

insert into public.orchestration_settings default values;

-- Indexes --------------------------------------------------------------------------------------------------------------

create index channel_sources_segment_id_idx on public.channel_sources (segment_id);

-- Kept by the database -------------------------------------------------------------------------------------------------

create trigger set_updated_at before update on public.lead_segment_channels
for each row when (old.* is distinct from new.*) execute function private.set_updated_at();
create trigger set_updated_at before update on public.channel_sources
for each row when (old.* is distinct from new.*) execute function private.set_updated_at();
create trigger set_updated_at before update on public.orchestration_settings
for each row when (old.* is distinct from new.*) execute function private.set_updated_at();

-- Row level security: signed-in users read, admins insert and update, nobody deletes; the pipeline only reads ---------

alter table public.lead_segment_channels enable row level security;
alter table public.channel_sources enable row level security;
alter table public.orchestration_settings enable row level security;
revoke all on public.lead_segment_channels, public.channel_sources, public.orchestration_settings
from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.lead_segment_channels, public.channel_sources, public.orchestration_settings
to authenticated, service_role;
grant select on public.lead_segment_channels, public.channel_sources, public.orchestration_settings to lead_pipeline;

create policy signed_in_users_read on public.lead_segment_channels
for select to authenticated using (true);
create policy admins_insert on public.lead_segment_channels
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.lead_segment_channels
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));
create policy pipeline_reads on public.lead_segment_channels
for select to lead_pipeline using (true);

create policy signed_in_users_read on public.channel_sources
for select to authenticated using (true);
create policy admins_insert on public.channel_sources
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.channel_sources
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));
create policy pipeline_reads on public.channel_sources
for select to lead_pipeline using (true);

create policy signed_in_users_read on public.orchestration_settings
for select to authenticated using (true);
create policy admins_insert on public.orchestration_settings
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.orchestration_settings
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));
create policy pipeline_reads on public.orchestration_settings
for select to lead_pipeline using (true);
