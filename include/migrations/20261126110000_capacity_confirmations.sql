-- How far capacity may move in a day before a person is asked, and what a person answers.

set local lock_timeout = '5s';

-- Settings -------------------------------------------------------------------------------------------------------------

alter table public.orchestration_settings
add column max_capacity_rise numeric not null default 3
constraint orchestration_settings_max_capacity_rise_check check (max_capacity_rise >= 1 and max_capacity_rise < 'Infinity'),
add column max_capacity_fall numeric not null default 3
constraint orchestration_settings_max_capacity_fall_check check (max_capacity_fall >= 1 and max_capacity_fall < 'Infinity'),
add column min_capacity_leap integer not null default 5
constraint orchestration_settings_min_capacity_leap_check check (min_capacity_leap >= 1),
add column capacity_leap_days integer not null default 5
constraint orchestration_settings_capacity_leap_days_check check (capacity_leap_days between 1 and 28);

comment on column public.orchestration_settings.max_capacity_rise is
'Times the usual capacity of a segment: above it, capacity leaps and the segment holds. 3 = more than three times.';
comment on column public.orchestration_settings.max_capacity_fall is
'Times below the usual capacity of a segment: beyond it, capacity leaps and the segment holds. 3 = less than a third.';
comment on column public.orchestration_settings.min_capacity_leap is
'Leads a day: a smaller difference from the usual capacity is no leap, whatever its ratio.';
comment on column public.orchestration_settings.capacity_leap_days is
'Of the last 28 days, on how many (today counts) a level has to be recorded before it is believed without a person.';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.capacity_confirmations (
    id bigint generated always as identity primary key,
    segment_id uuid references public.lead_segments (id) on delete restrict,
    confirmed_capacity integer not null,
    valid_until date not null default public.lead_today() + 28,
    confirmed_at timestamptz not null default now(),
    note text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint capacity_confirmations_capacity_check check (confirmed_capacity >= 0),
    constraint capacity_confirmations_source_check check (segment_id is not null or confirmed_capacity = 0)
);

comment on table public.capacity_confirmations is
'What a person confirmed of capacity that looked wrong. With a segment: its capacity may be near this level until valid_until. '
'Without one: on the day of confirmed_at it is true that most segments, or all, have no partner any more.';
comment on column public.capacity_confirmations.segment_id is
'NULL: the whole source, on the day of confirmed_at in Europe/Amsterdam only.';
comment on column public.capacity_confirmations.confirmed_capacity is
'Leads a day that the partners of the segment really take; 0 where segment_id is NULL.';
comment on column public.capacity_confirmations.valid_until is
'Last day on which the level counts as known. After four weeks the segment''s own history knows it.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create index capacity_confirmations_segment_id_idx on public.capacity_confirmations (segment_id);

-- Kept by the database -------------------------------------------------------------------------------------------------

create trigger set_updated_at before update on public.capacity_confirmations
for each row when (old.* is distinct from new.*) execute function private.set_updated_at();

-- Row level security: signed-in users read, admins insert and update, nobody deletes; the pipeline only reads ---------

alter table public.capacity_confirmations enable row level security;
revoke all on public.capacity_confirmations from public, anon, authenticated, service_role, lead_pipeline;
revoke all on sequence public.capacity_confirmations_id_seq from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.capacity_confirmations to authenticated, service_role;
grant select on public.capacity_confirmations to lead_pipeline;

create policy signed_in_users_read on public.capacity_confirmations
for select to authenticated using (true);
create policy admins_insert on public.capacity_confirmations
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.capacity_confirmations
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));
create policy pipeline_reads on public.capacity_confirmations
for select to lead_pipeline using (true);
