-- Grain: one row: whether each direction has anything to do today.
-- Why: the branch follows only directions with work; an open change of today is work: a retry finishes it, and one that no
-- decision covers is refused, with an alert. Of a dry run only what this run decided itself is shown to the channel.
with open_changes as (
    select
        coalesce(bool_or(action_type = 'budget_decrease'), false) as decrease,
        coalesce(bool_or(action_type = 'budget_increase'), false) as increase
    from channel_orchestration_log
    where channel = %(channel)s and status = 'pending' and kind <> 'manual' and decision_date = lead_today()
)

select
    coalesce(bool_or(action = 'decrease' and is_unclaimed), false)
    or (select open_changes.decrease from open_changes) as decrease,
    coalesce(bool_or(action = 'increase' and is_unclaimed), false)
    or (select open_changes.increase from open_changes) as increase,
    coalesce(bool_or(action = 'hold' and orchestration_status = 'planned'), false) as hold,
    coalesce(bool_or(is_large), false) as ask,
    coalesce(array_agg(distinct dag_run_id) filter (where is_large), '{}') as asking_runs
from (
    select
        decisions.action,
        decisions.dag_run_id,
        plans.orchestration_status,
        not claims.any_claim and (
            plans.orchestration_status = 'planned'
            or (decisions.is_dry_run and decisions.dag_run_id = %(dag_run_id)s)
        ) as is_unclaimed,
        not claims.any_claim and plans.orchestration_status = 'waiting_approval' as is_large
    from budget_decisions as decisions
    inner join lead_segment_plans as plans
        on decisions.segment_id = plans.segment_id and decisions.decision_date = plans.date
    cross join lateral (
        select count(*) > 0 as any_claim
        from channel_orchestration_log as log
        where log.decision_id = decisions.id and log.decision_date = decisions.decision_date
    ) as claims
    where
        decisions.channel = %(channel)s
        and decisions.decision_date = lead_today()
        and not decisions.is_blocked
) as today
