-- An action by a person on a channel whose budgets nobody steers, such as a page written for seo, has its row in the audit trail too.

set local lock_timeout = '5s';

-- Table: a manual row needs no budget and no amount; every other row needs what it always did -------------------------

-- squawk-ignore ban-drop-not-null
alter table public.channel_orchestration_log alter column account drop not null;
-- squawk-ignore ban-drop-not-null
alter table public.channel_orchestration_log alter column external_id drop not null;
-- squawk-ignore ban-drop-not-null
alter table public.channel_orchestration_log alter column new_value drop not null;
-- squawk-ignore ban-drop-constraint
alter table public.channel_orchestration_log drop constraint channel_orchestration_log_kind_check;
alter table public.channel_orchestration_log
add constraint channel_orchestration_log_kind_check check (kind in ('plan', 'revert', 'manual')) not valid,
add constraint channel_orchestration_log_budget_check check (
    kind = 'manual' or (account is not null and external_id is not null and new_value is not null)
) not valid,
-- A decision and a run belong to the pipeline, which makes no manual row.
add constraint channel_orchestration_log_manual_check check (
    kind <> 'manual' or (decision_id is null and dag_run_id is null)
) not valid;

comment on table public.channel_orchestration_log is
'Every change of a budget: claimed as pending before it is sent, closed once as success or failed, never changed otherwise. And what '
'people did on channels without a budget (kind manual).';
comment on column public.channel_orchestration_log.kind is
'plan = from a decision of the day; revert = puts another row back; manual = a person did it, on a channel whose budgets nobody steers.';
comment on column public.channel_orchestration_log.old_value is
'EUR a day in force when the change was decided; of a manual row, any number that says what was before, or NULL.';
comment on column public.channel_orchestration_log.new_value is
'EUR a day, absolute, so that sending it twice does no harm; of a manual row, any number that says what is now, or NULL.';
comment on column public.channel_orchestration_log.external_id is
'The budget, by the name that the channel gives it; of a manual row, what was worked on, such as a page, or NULL.';
comment on column public.channel_orchestration_log.decided_by is
'The person who approved, rejected, reverted or did it; NULL = nobody was asked.';

-- The guard ------------------------------------------------------------------------------------------------------------

create or replace function private.guard_log_insert() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_today constant date := public.lead_today();
    v_yesterday constant date := v_today - 1;
    v_midnight constant timestamptz := v_today::timestamp at time zone 'Europe/Amsterdam';
    v_claims constant jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    v_is_steered boolean;
    v_stale text;
begin
    -- Whatever has a decision or a run behind it was made by the pipeline and is held to every rule of a budget below.
    if new.kind in ('plan', 'manual') and new.decision_id is null and new.dag_run_id is null then
        v_is_steered := new.channel = 'google_ads'
            or exists (select from public.channel_budgets as b where b.channel = new.channel)
            or exists (select from public.budget_decisions as d where d.channel = new.channel);
        if new.kind = 'manual' and v_is_steered then
            raise exception 'the budgets of % are steered: a change by hand is made in the channel and found there', new.channel
                using errcode = 'check_violation',
                detail = 'Nothing was logged and no budget was changed.',
                hint = 'Change the budget in the channel itself: the next run sees who did and leaves it alone for the cool-down.';
        elsif not v_is_steered and (new.account is null or new.external_id is null) then
            new.kind := 'manual';
        end if;
    end if;
    if new.kind = 'manual' then
        if new.decision_date > v_today then
            raise exception 'what a person did is logged on its day or later, not before (%)', new.decision_date
                using errcode = 'check_violation',
                detail = 'Nothing was logged.',
                hint = 'Log it as pending today, and close the row when it is done.';
        end if;
        new.decided_by := coalesce(new.decided_by, v_claims ->> 'email', v_claims ->> 'sub');
        if new.status <> 'pending' then
            new.closed_at := coalesce(new.closed_at, now());
        end if;
        return new;
    end if;
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
            and l.status = 'success' and l.new_value = new.old_value and l.old_value = new.new_value
            and l.kind <> 'manual'
    ) then
        raise exception 'row % of the log is not a change of budget % from % to % that took effect',
            coalesce(new.reverts::text, 'NULL'), new.external_id, new.new_value, new.old_value
            using errcode = 'check_violation',
            detail = 'Nothing was logged and no budget was changed.',
            hint = 'Revert the row that changed this very budget, to the amount that it had before.';
    end if;
    return new;
end
$$;

-- Policies: the pipeline neither makes nor closes a manual row --------------------------------------------------------

alter policy pipeline_claims_for_today on public.channel_orchestration_log
with check (decision_date = (select public.lead_today()) and status = 'pending' and kind in ('plan', 'revert'));
alter policy pipeline_closes on public.channel_orchestration_log
with check (status in ('success', 'failed') and kind in ('plan', 'revert'));
