-- A source belongs to a segment for a span of days; a day of an account is stated as truly zero; what a change of either touches.

set local lock_timeout = '5s';

-- Sources: one row per span of days ------------------------------------------------------------------------------------

-- A surrogate key, because Supabase's table editor needs one and a span may be open at either end. The table has one row
-- per campaign, page prefix and host: rewriting it takes milliseconds.
alter table public.channel_sources
-- squawk-ignore adding-field-with-default
add column id bigint generated always as identity,
add column valid_from date,
add column valid_to date;
-- squawk-ignore constraint-missing-not-valid
alter table public.channel_sources add constraint channel_sources_span_check check (valid_from <= valid_to);
-- squawk-ignore ban-drop-constraint
alter table public.channel_sources drop constraint channel_sources_pkey;
-- squawk-ignore constraint-missing-not-valid, adding-serial-primary-key-field
alter table public.channel_sources add constraint channel_sources_pkey primary key (id);
-- squawk-ignore constraint-missing-not-valid, disallowed-unique-constraint
alter table public.channel_sources add constraint channel_sources_key
unique nulls not distinct (channel, account, external_id, valid_from);
revoke all on sequence public.channel_sources_id_seq from public, anon, authenticated, service_role, lead_pipeline;

comment on column public.channel_sources.valid_from is
'First day on which it belongs to the segment; NULL = from the beginning. To re-map from a day on, end the row and add another.';
comment on column public.channel_sources.valid_to is
'Last day on which it belongs to the segment, included; NULL = it still does. What was read for earlier days stays.';
comment on column public.channel_sources.is_active is
'false: it belongs to no segment on purpose, on all days of the row, and is not named as missing. To end it, set valid_to.';

-- A trigger and not an exclusion constraint: that would need the extension btree_gist, which not every server has.
create function private.refuse_overlapping_source() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_other record;
begin
    if not new.is_active then
        return null;
    end if;
    -- One edit at a time: two that cannot see each other's rows would both pass.
    perform pg_advisory_xact_lock(hashtextextended('public.channel_sources', 0));
    select s.id, s.valid_from, s.valid_to, g.code into v_other
    from public.channel_sources as s
    left join public.lead_segments as g on s.segment_id = g.id
    where s.channel = new.channel and s.account = new.account and s.external_id = new.external_id
        and s.id <> new.id and s.is_active
        and coalesce(s.valid_from, '-infinity') <= coalesce(new.valid_to, 'infinity')
        and coalesce(new.valid_from, '-infinity') <= coalesce(s.valid_to, 'infinity')
    limit 1;
    if found then
        raise exception '% % of account % already belongs to % from % to %',
            new.channel, new.external_id, new.account, coalesce(v_other.code, 'a segment'),
            coalesce(v_other.valid_from::text, 'the beginning'), coalesce(v_other.valid_to::text, 'now on')
            using errcode = 'exclusion_violation',
            detail = 'Nothing was changed: on a day that two rows share, its figures would count twice.',
            hint = format('Set valid_to of the row with id %s to the day before this one starts, or change that row.', v_other.id);
    end if;
    return null;
end
$$;
revoke all on function private.refuse_overlapping_source() from public, anon, authenticated, service_role, lead_pipeline;

-- Looked at when the statement is over, so that one statement may exchange the spans of two rows.
create constraint trigger refuse_overlap after insert or update on public.channel_sources
not deferrable initially immediate
for each row execute function private.refuse_overlapping_source();

-- Changes of sources: which days of which segment are still as they were read before ------------------------------------

create table public.channel_source_changes (
    id bigint generated always as identity primary key,
    channel text not null,
    account text not null,
    external_id text not null,
    segment_id uuid not null references public.lead_segments (id) on delete restrict,
    date_from date,
    date_to date,
    changed_at timestamptz not null default clock_timestamp(),
    restated_at timestamptz,
    constraint channel_source_changes_dates_check check (date_from <= date_to)
);

comment on table public.channel_source_changes is
'One row per segment and range of days that a change of channel_sources gives or takes figures. Written by a trigger.';
comment on column public.channel_source_changes.date_from is 'NULL = from the beginning.';
comment on column public.channel_source_changes.date_to is 'Last day, included; NULL = with no end.';
comment on column public.channel_source_changes.restated_at is 'When every day that had been read before was read again; NULL = open.';

create index channel_source_changes_segment_id_idx on public.channel_source_changes (segment_id);
create index channel_source_changes_open_idx on public.channel_source_changes (channel, account) where restated_at is null;

-- Definer: the rows are the database's own account of what happened, so nobody may write them.
create function private.log_source_change() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
    v_old_from date; v_old_to date; v_new_from date; v_new_to date;
begin
    v_old_from := coalesce(old.valid_from, '-infinity');
    v_old_to := coalesce(old.valid_to, 'infinity');
    v_new_from := coalesce(new.valid_from, '-infinity');
    v_new_to := coalesce(new.valid_to, 'infinity');
    if tg_op = 'UPDATE' and (old.channel, old.account, old.external_id, old.segment_id, old.is_active)
        = (new.channel, new.account, new.external_id, new.segment_id, new.is_active)
        and v_old_from <= v_new_to and v_new_from <= v_old_to
    then
        -- Only the ends moved: the days between old and new.
        insert into public.channel_source_changes (channel, account, external_id, segment_id, date_from, date_to)
        select new.channel, new.account, new.external_id, new.segment_id, nullif(moved.first, '-infinity'), nullif(moved.last, 'infinity')
        from (
            values
            (v_old_from <> v_new_from, least(v_old_from, v_new_from), greatest(v_old_from, v_new_from) - 1),
            (v_old_to <> v_new_to, least(v_old_to, v_new_to) + 1, greatest(v_old_to, v_new_to))
        ) as moved (differs, first, last)
        where new.is_active and moved.differs;
        return null;
    end if;
    insert into public.channel_source_changes (channel, account, external_id, segment_id, date_from, date_to)
    select old.channel, old.account, old.external_id, old.segment_id, old.valid_from, old.valid_to
    where tg_op <> 'INSERT' and old.is_active
    union all
    select new.channel, new.account, new.external_id, new.segment_id, new.valid_from, new.valid_to
    where tg_op <> 'DELETE' and new.is_active;
    return null;
end
$$;
revoke all on function private.log_source_change() from public, anon, authenticated, service_role, lead_pipeline;

-- At the commit: a pull that read the sources before this moment did not see the change, and what it wrote must be read again.
create constraint trigger log_change after insert or update or delete on public.channel_sources
deferrable initially deferred
for each row execute function private.log_source_change();

-- Days stated as truly zero ---------------------------------------------------------------------------------------------

create table public.channel_zero_days (
    channel text not null,
    account text not null,
    date date not null,
    is_zero boolean not null default true,
    note text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (channel, account, date),
    constraint channel_zero_days_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint channel_zero_days_account_check check (account <> '' and account = btrim(account))
);

comment on table public.channel_zero_days is
'A person states that an account truly had nothing on a day, where its silence is doubted. The next run of that day believes it.';
comment on column public.channel_zero_days.is_zero is 'false withdraws the statement.';
comment on column public.channel_zero_days.note is 'Who says so, and why.';

create trigger set_updated_at before update on public.channel_zero_days
for each row when (old.* is distinct from new.*) execute function private.set_updated_at();

-- A default that is a constant: no row is rewritten.
alter table public.channel_metrics add column is_empty boolean not null default false;
comment on column public.channel_metrics.is_empty is
'true = the whole account gave no row for this day, and that was believed: its zeros are the silence of the source.';

-- Row level security: signed-in users read, admins state zero days, the database alone logs changes ----------------------

alter table public.channel_source_changes enable row level security;
alter table public.channel_zero_days enable row level security;
revoke all on public.channel_source_changes, public.channel_zero_days
from public, anon, authenticated, service_role, lead_pipeline;
revoke all on sequence public.channel_source_changes_id_seq from public, anon, authenticated, service_role, lead_pipeline;

grant select on public.channel_source_changes to authenticated, service_role, lead_pipeline;
grant update (restated_at) on public.channel_source_changes to lead_pipeline;
create policy signed_in_users_read on public.channel_source_changes
for select to authenticated using (true);
create policy pipeline_reads on public.channel_source_changes
for select to lead_pipeline using (true);
create policy pipeline_updates on public.channel_source_changes
for update to lead_pipeline using (true) with check (true);

grant select, insert, update on public.channel_zero_days to authenticated, service_role;
grant select on public.channel_zero_days to lead_pipeline;
create policy signed_in_users_read on public.channel_zero_days
for select to authenticated using (true);
create policy admins_insert on public.channel_zero_days
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.channel_zero_days
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));
create policy pipeline_reads on public.channel_zero_days
for select to lead_pipeline using (true);
