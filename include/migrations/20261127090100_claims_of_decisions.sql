-- A pending row is a claim and no order: only the pipeline claims, and only what a decision of today says. What anybody else inserts is
-- the record of something done by hand: closed at once, in their own name, and never sent.

set local lock_timeout = '5s';

comment on table public.channel_orchestration_log is
'Every change of a budget: claimed as pending by the pipeline before it is sent, closed once as success or failed, never changed '
'otherwise. And what people did by hand (kind manual), which is never sent and counts as no change of the pipeline.';
comment on column public.channel_orchestration_log.kind is
'plan = from a decision of the day; revert = puts another row back; manual = the record of what a person did by hand.';
comment on column public.channel_orchestration_log.decided_by is
'The person who approved, rejected, reverted or recorded it; NULL = nobody was asked. Of a manual row: who is signed in, by email or '
'id, or the role where nobody is.';
comment on column public.channel_orchestration_log.error_code is
'Why it failed. closed_by_hand = a person closed the claim of the pipeline; error_detail says who.';

-- Insert ---------------------------------------------------------------------------------------------------------------

create or replace function private.guard_log_insert() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_today constant date := public.lead_today();
    v_yesterday constant date := v_today - 1;
    v_midnight constant timestamptz := v_today::timestamp at time zone 'Europe/Amsterdam';
    v_is_pipeline constant boolean := row_security_active(tg_relid) and pg_has_role(current_user, 'lead_pipeline', 'usage');
    v_claims jsonb;
    v_stale text;
    v_decision public.budget_decisions%rowtype;
    v_budgets bigint;
    v_in_force numeric;
    v_amount numeric;
    v_step numeric;
    v_wrong text;
begin
    new.created_at := now();
    if new.action_type = 'budget_increase' and new.new_value <= new.old_value
        or new.action_type = 'budget_decrease' and new.new_value >= new.old_value then
        raise exception 'a % from % to % goes the other way', new.action_type, new.old_value, new.new_value
            using errcode = 'check_violation',
            detail = 'Nothing was logged and no budget was changed.',
            hint = 'Give old_value and new_value in the order in which they were in force, or the other action_type.';
    end if;

    -- Done by hand: a record, whatever kind and status it was given.
    if not v_is_pipeline then
        if new.kind = 'revert' or new.reverts is not null or new.decision_id is not null or new.dag_run_id is not null then
            raise exception 'only the pipeline claims a change: % logs what was done by hand', current_user
                using errcode = 'insufficient_privilege',
                detail = 'Nothing was logged and no budget was changed.',
                hint = 'Leave out decision_id, dag_run_id and reverts. To have a budget changed, set its limits or the target of today, or '
                || 'start lead_budget_revert; to record what was changed in the channel itself, insert it without them.';
        end if;
        if new.decision_date > v_today then
            raise exception 'what a person did is logged on its day or later, not before (%)', new.decision_date
                using errcode = 'check_violation',
                detail = 'Nothing was logged.',
                hint = 'Insert the row when it is done.';
        end if;
        v_claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
        new.kind := 'manual';
        new.status := case new.status when 'pending' then 'success' else new.status end;
        new.closed_at := now();
        new.decided_by := coalesce(v_claims ->> 'email', v_claims ->> 'sub', current_user);
        new.error_code := null;
        new.request_id := null;
        return new;
    end if;

    -- A claim of the pipeline.
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
    new.closed_at := null;
    new.error_code := null;
    new.error_detail := null;
    new.request_id := null;
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
        -- Locked, so that two transactions cannot each claim the whole of one decision.
        select d.* into v_decision
        from public.budget_decisions as d
        where d.id = new.decision_id
        for no key update;
        select
            count(*),
            sum(b.amount),
            max(b.amount) filter (where b.account = new.account and b.budget_id = new.external_id)
        into v_budgets, v_in_force, v_amount
        from (
            select distinct
                found.account,
                found.budget_id,
                found.amount
            from public.channel_sources as s
            inner join public.channel_budgets as found
                on s.channel = found.channel and s.account = found.account and s.external_id = found.campaign_id
            where s.segment_id = new.segment_id
                and s.channel = new.channel
                and s.is_active
                and v_today between coalesce(s.valid_from, '-infinity') and coalesce(s.valid_to, 'infinity')
                and found.is_serving
        ) as b;
        select coalesce(sum(l.new_value - l.old_value), 0) + new.new_value - new.old_value into v_step
        from public.channel_orchestration_log as l
        where l.decision_id = new.decision_id and l.kind = 'plan' and l.external_id <> new.external_id;
        -- A channel rounds down to what it can bill, at most to whole units of the currency: so a decrease may be larger by less than
        -- one of them. Right before it is sent the pipeline compares with the channel's own unit.
        v_wrong := case
            when v_decision.id is null then format('it names no decision (decision_id is %s)', coalesce(new.decision_id::text, 'NULL'))
            when v_decision.segment_id <> new.segment_id or v_decision.channel <> new.channel
                then 'its decision is about another segment or channel'
            when v_decision.decision_date <> v_today then format('its decision is of %s', v_decision.decision_date)
            when v_decision.is_blocked or v_decision.is_dry_run or v_decision.action = 'hold'
                then 'its decision changes no budget: it is a hold or of a dry run'
            when new.action_type <> 'budget_' || v_decision.action then format('its decision is to %s', v_decision.action)
            when v_amount is null then 'no campaign of the segment that serves has this budget'
            when v_amount is distinct from new.old_value then format('%s was in force when it was last read', v_amount)
            when v_in_force <> v_decision.old_budget
                then format('the budgets of its segment add up to %s, and %s was decided on', v_in_force, v_decision.old_budget)
            when (v_decision.action = 'increase') is distinct from (new.new_value > new.old_value) or new.new_value = new.old_value
                then format('its decision is to %s', v_decision.action)
            when v_decision.action = 'increase' and v_step > v_decision.new_budget - v_decision.old_budget
                or v_decision.action = 'decrease' and v_step <= v_decision.new_budget - v_decision.old_budget - 1
                then format('with it the claims of its decision add up to %s, and %s was decided',
                    v_step, v_decision.new_budget - v_decision.old_budget)
            when v_budgets = 1 and not (new.new_value <= v_decision.new_budget and new.new_value > v_decision.new_budget - 1)
                then format('its decision says %s', v_decision.new_budget)
        end;
        if v_wrong is not null then
            raise exception 'budget % cannot be claimed from % to %: %',
                new.external_id, coalesce(new.old_value::text, 'NULL'), coalesce(new.new_value::text, 'NULL'), v_wrong
                using errcode = 'check_violation',
                detail = 'Nothing was logged and no budget was changed.',
                hint = 'Start a new run of lead_budgets: it claims what it decided, and nothing else.';
        end if;
    elsif new.kind = 'revert' and (
        new.action_type <> 'budget_revert' or not exists (
            select from public.channel_orchestration_log as l
            where l.id = new.reverts and l.channel = new.channel and l.account = new.account and l.external_id = new.external_id
                and l.segment_id = new.segment_id
                and l.status = 'success' and l.new_value = new.old_value and l.old_value = new.new_value
                and l.kind = 'plan'
        )
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

-- Close ----------------------------------------------------------------------------------------------------------------

create or replace function private.guard_log_update() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_closing constant text[] := '{status,error_code,error_detail,request_id,decided_by,closed_at}';
    v_is_pipeline constant boolean := row_security_active(tg_relid) and pg_has_role(current_user, 'lead_pipeline', 'usage');
    v_claims jsonb;
    v_who text;
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
    if v_is_pipeline then
        if old.decided_by is not null and new.decided_by is distinct from old.decided_by then
            raise exception 'row % of the log was decided by %', old.id, old.decided_by
                using errcode = 'restrict_violation',
                detail = 'The row was left as it was.',
                hint = 'Leave decided_by alone: it is said when the change is claimed.';
        end if;
    else
        v_claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
        v_who := coalesce(v_claims ->> 'email', v_claims ->> 'sub', current_user);
        new.decided_by := coalesce(old.decided_by, v_who);
        new.error_code := case new.status when 'failed' then 'closed_by_hand' end;
        new.error_detail := concat_ws(': ', format('closed by hand by %s', v_who), new.error_detail);
        new.request_id := old.request_id;
    end if;
    new.closed_at := now();
    return new;
end
$$;
