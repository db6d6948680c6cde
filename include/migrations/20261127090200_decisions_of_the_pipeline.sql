-- A decision moves money, so the pipeline alone decides, on its own day, and no decision is ever rewritten.

set local lock_timeout = '5s';

-- The guard: binds everybody, service_role and the owner too ----------------------------------------------------------

create function private.guard_budget_decision() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_outcomes constant text[] := '{realised_leads_7d,realised_leads_14d}';
begin
    if tg_op = 'UPDATE' then
        if to_jsonb(new) - v_outcomes <> to_jsonb(old) - v_outcomes then
            raise exception 'decision % of % is history: only what came of it may be filled in', old.id, old.decision_date
                using errcode = 'restrict_violation',
                detail = 'The decision was left as it was.',
                hint = 'To have a segment decided otherwise, set its target or its limits; the next run of another day decides.';
        end if;
        return new;
    end if;
    if not (row_security_active(tg_relid) and pg_has_role(current_user, 'lead_pipeline', 'usage')) then
        raise exception 'only the pipeline decides: % inserts no decision', current_user
            using errcode = 'insufficient_privilege',
            detail = 'Nothing was decided and no budget was changed.',
            hint = 'Set the target of today in lead_segment_plans, or the limits in lead_segment_channels, and start lead_budgets.';
    end if;
    if new.decision_date is distinct from public.lead_today() then
        raise exception 'a decision is of today (%), not of %', public.lead_today(), coalesce(new.decision_date::text, 'NULL')
            using errcode = 'insufficient_privilege',
            detail = 'Nothing was decided and no budget was changed.',
            hint = 'Do not clear a run of another day: start a new run of lead_budgets.';
    end if;
    new.evaluated_at := now();
    new.created_at := now();
    return new;
end
$$;

revoke all on function private.guard_budget_decision() from public, anon, authenticated, service_role;

create trigger guard before insert or update on public.budget_decisions
for each row execute function private.guard_budget_decision();

-- Row level security: signed-in users read, the pipeline writes --------------------------------------------------------

drop policy admins_insert on public.budget_decisions;
drop policy admins_update on public.budget_decisions;
revoke insert, update on public.budget_decisions from authenticated, service_role;
