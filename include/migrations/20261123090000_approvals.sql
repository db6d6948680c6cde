-- Large changes wait for a person until a time of day; a revert puts back exactly what a change did.

set local lock_timeout = '5s';

-- Settings -------------------------------------------------------------------------------------------------------------

alter table public.orchestration_settings add column approval_deadline time not null default '17:00';
comment on column public.orchestration_settings.approval_deadline is
'Time of day in Europe/Amsterdam. A large change that nobody approved by then is not made that day.';

-- What the channel did not say about a campaign is unknown, and unknown holds its budget.
-- squawk-ignore ban-drop-not-null
alter table public.channel_budgets alter column is_learning drop not null;
comment on column public.channel_budgets.is_learning is
'Whether the bidding is learning after a change; NULL = the channel did not say, and its budget is held.';

-- The guard: a revert is the exact opposite of a change that took effect -----------------------------------------------

create or replace function private.guard_log_insert() returns trigger
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
            and l.status = 'success' and l.new_value = new.old_value and l.old_value = new.new_value
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
