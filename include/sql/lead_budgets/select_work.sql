-- Grain: one row: whether each direction has anything to do today.
-- Why: the branch follows only directions with work; an open claim of today is work, so that a retry finishes it.
select
    coalesce(bool_or(action = 'decrease' and (is_unclaimed or is_open)), false) as decrease,
    coalesce(bool_or(action = 'increase' and (is_unclaimed or is_open)), false) as increase,
    coalesce(bool_or(action = 'hold' and orchestration_status = 'planned'), false) as hold
from (
    select
        decisions.action,
        plans.orchestration_status,
        plans.orchestration_status = 'planned'
        and not exists (
            select 1
            from channel_orchestration_log as log
            where log.decision_id = decisions.id and log.decision_date = decisions.decision_date
        ) as is_unclaimed,
        exists (
            select 1
            from channel_orchestration_log as log
            where log.decision_id = decisions.id and log.decision_date = decisions.decision_date and log.status = 'pending'
        ) as is_open
    from budget_decisions as decisions
    inner join lead_segment_plans as plans
        on decisions.segment_id = plans.segment_id and decisions.decision_date = plans.date
    where
        decisions.channel = %(channel)s
        and decisions.decision_date = lead_today()
        and not decisions.is_blocked
        and not decisions.is_dry_run
) as today
