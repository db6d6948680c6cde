-- channel_orchestration_log: the audit trail. A change is claimed here before it is sent, and closed once, after.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.channel_orchestration_log (
    id uuid primary key default gen_random_uuid(),
    segment_id uuid not null references public.lead_segments (id) on delete restrict,
    channel text not null,
    action_type text not null,
    old_value numeric(14, 6),
    new_value numeric(14, 6) not null,
    status text not null default 'pending',
    account text not null,
    external_id text not null,
    decision_date date not null default public.lead_today(),
    kind text not null default 'plan',
    decision_id uuid references public.budget_decisions (id) on delete restrict,
    reverts uuid references public.channel_orchestration_log (id) on delete restrict,
    dag_run_id text,
    created_at timestamptz not null default now(),
    error_code text,
    error_detail text,
    request_id text,
    decided_by text,
    closed_at timestamptz,
    -- The write-ahead claim: one change a budget a day, and one revert, however often a task is retried.
    constraint channel_orchestration_log_claim_key unique (channel, external_id, decision_date, kind),
    constraint channel_orchestration_log_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint channel_orchestration_log_action_type_check check (action_type ~ '^[a-z][a-z0-9_]*$'),
    constraint channel_orchestration_log_old_value_check check (old_value >= 0 and old_value < 'Infinity'),
    constraint channel_orchestration_log_new_value_check check (new_value >= 0 and new_value < 'Infinity'),
    constraint channel_orchestration_log_status_check check (status in ('pending', 'success', 'failed')),
    constraint channel_orchestration_log_kind_check check (kind in ('plan', 'revert')),
    constraint channel_orchestration_log_reverts_check check ((kind = 'revert') = (reverts is not null)),
    constraint channel_orchestration_log_closed_check check ((status = 'pending') = (closed_at is null)),
    constraint channel_orchestration_log_names_check check (account <> '' and external_id <> '')
);

comment on table public.channel_orchestration_log is
'Every change of a budget: claimed as pending before it is sent, closed once as success or failed, never changed otherwise.';
comment on column public.channel_orchestration_log.old_value is 'EUR a day in force when the change was decided.';
comment on column public.channel_orchestration_log.new_value is 'EUR a day, absolute, so that sending it twice does no harm.';
comment on column public.channel_orchestration_log.external_id is 'The budget, by the name that the channel gives it.';
comment on column public.channel_orchestration_log.kind is 'plan = from a decision of the day; revert = puts another row back.';
comment on column public.channel_orchestration_log.decided_by is 'The person who approved, rejected or reverted; NULL = nobody was asked.';

-- Indexes --------------------------------------------------------------------------------------------------------------

-- A budget with an open claim gets no other change; also finds what is still open.
create unique index channel_orchestration_log_open_key on public.channel_orchestration_log (channel, external_id)
where status = 'pending';
create index channel_orchestration_log_segment_date_idx on public.channel_orchestration_log (segment_id, decision_date);
create index channel_orchestration_log_status_idx on public.channel_orchestration_log (status, decision_date);
create index channel_orchestration_log_decision_id_idx on public.channel_orchestration_log (decision_id)
where decision_id is not null;
create index channel_orchestration_log_reverts_idx on public.channel_orchestration_log (reverts)
where reverts is not null;

-- The guard: binds everybody, service_role and the owner too ----------------------------------------------------------

create function private.guard_log_insert() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_today constant date := public.lead_today();
    v_yesterday constant date := v_today - 1;
    v_midnight constant timestamptz := v_today::timestamp at time zone 'Europe/Amsterdam';
    v_stale text;
begin
    if new.status is distinct from 'pending' then
        raise exception 'a log row starts as pending, not as %', coalesce(new.status, 'NULL')
            using errcode = 'check_violation',
            detail = 'Nothing was logged and no budget was changed.',
            hint = 'Insert the row as pending before the change is sent, and close it afterwards.';
    end if;
    if new.decision_date is distinct from v_today then
        raise exception 'a change can only be claimed for today (%), not for %', v_today, coalesce(new.decision_date::text, 'NULL')
            using errcode = 'check_violation',
            detail = 'Nothing was logged and no budget was changed.',
            hint = 'Do not clear a run of another day: start a new run of lead_budgets.';
    end if;
    if new.kind = 'plan' then
        select string_agg(needed.label, ', ' order by needed.label) into v_stale
        from (values
            ('leads', null, 'leads'),
            ('partner_capacity', null, 'partner_capacity'),
            (new.channel, new.account, format('%s (account %s)', new.channel, new.account))
        ) as needed (channel, account, label)
        where not exists (
            select from public.channel_fetches as f
            where f.channel = needed.channel
                and (needed.account is null or f.account = needed.account)
                and f.fetched_at >= v_midnight
                and v_yesterday between f.date_from and f.date_to
        );
        if v_stale is not null then
            raise exception 'not fetched today up to and including %: %', v_yesterday, v_stale
                using errcode = 'object_not_in_prerequisite_state',
                detail = 'Nothing was logged and no budget was changed.',
                hint = 'Run lead_stats for yesterday first; it announces the day to lead_budgets when it is done.';
        end if;
    elsif new.kind = 'revert' and not exists (
        select from public.channel_orchestration_log as l
        where l.id = new.reverts and l.channel = new.channel and l.external_id = new.external_id
    ) then
        raise exception 'row % of the log is not a change of budget %', coalesce(new.reverts::text, 'NULL'), new.external_id
            using errcode = 'check_violation',
            detail = 'Nothing was logged and no budget was changed.',
            hint = 'Revert the row that changed this very budget.';
    end if;
    return new;
end
$$;

create function private.guard_log_update() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_closing constant text[] := '{status,error_code,error_detail,request_id,decided_by,closed_at}';
begin
    if old.status <> 'pending' then
        raise exception 'row % of the log was closed as % and is final', old.id, old.status
            using errcode = 'object_not_in_prerequisite_state',
            detail = 'The row was left as it was.',
            hint = 'To undo the change itself, run lead_budget_revert: it adds a row of its own.';
    end if;
    if to_jsonb(new) - v_closing <> to_jsonb(old) - v_closing then
        raise exception 'row % of the log may only be closed, not rewritten', old.id
            using errcode = 'restrict_violation',
            detail = 'The row was left as it was.',
            hint = 'Change only: ' || array_to_string(v_closing, ', ') || '.';
    end if;
    if new.status is null or new.status not in ('success', 'failed') then
        raise exception 'row % of the log can only be closed as success or failed', old.id
            using errcode = 'check_violation',
            detail = 'The row was left pending.',
            hint = 'Leave the row alone until the channel gave a definite answer.';
    end if;
    new.closed_at := coalesce(new.closed_at, now());
    return new;
end
$$;

create function private.guard_log_delete() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    raise exception 'the audit trail %.% is never deleted', tg_table_schema, tg_table_name
        using errcode = 'restrict_violation',
        detail = 'No row was removed.',
        hint = 'Nothing needs doing: the rows are small, and they are the proof of what was changed.';
end
$$;

revoke all on function private.guard_log_insert() from public, anon, authenticated, service_role;
revoke all on function private.guard_log_update() from public, anon, authenticated, service_role;
revoke all on function private.guard_log_delete() from public, anon, authenticated, service_role;

create trigger guard_insert before insert on public.channel_orchestration_log
for each row execute function private.guard_log_insert();
create trigger guard_update before update on public.channel_orchestration_log
for each row execute function private.guard_log_update();
create trigger guard_delete before delete on public.channel_orchestration_log
for each statement execute function private.guard_log_delete();
create trigger guard_truncate before truncate on public.channel_orchestration_log
for each statement execute function private.guard_log_delete();

-- Row level security: signed-in users read, admins insert and update, nobody deletes ----------------------------------

alter table public.channel_orchestration_log enable row level security;
revoke all on public.channel_orchestration_log from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.channel_orchestration_log to authenticated, service_role;
create policy signed_in_users_read on public.channel_orchestration_log
for select to authenticated using (true);
create policy admins_insert on public.channel_orchestration_log
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.channel_orchestration_log
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

-- Update sees closed rows as well, so that closing one twice is an error and not zero rows in silence.
grant select, insert, update (status, error_code, error_detail, request_id, decided_by, closed_at)
on public.channel_orchestration_log to lead_pipeline;
create policy pipeline_reads on public.channel_orchestration_log
for select to lead_pipeline using (true);
create policy pipeline_claims_for_today on public.channel_orchestration_log
for insert to lead_pipeline with check (decision_date = (select public.lead_today()) and status = 'pending');
create policy pipeline_closes on public.channel_orchestration_log
for update to lead_pipeline using (true) with check (status in ('success', 'failed'));
