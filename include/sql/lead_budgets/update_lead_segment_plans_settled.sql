-- Grain: one plan of today of a segment whose changes were claimed, or reverted, today.
-- Why: 'applied' once every budget of the segment is changed, 'failed' once one was refused, 'held' where a person did not
-- approve; the actual budget is what is in force.
with changes as (
    select
        *,
        status = 'failed' and coalesce(error_code, '') like 'approval%%' as is_declined
    from channel_orchestration_log
    where
        channel = %(channel)s
        and decision_date = lead_today()
        and kind <> 'manual'
        -- A row that no decision covers says nothing of the plan.
        and error_code is distinct from 'not_of_a_decision'
),

outcomes as (
    select
        segment_id,
        case
            when bool_or(status = 'failed' and not is_declined) filter (where kind = 'plan') then 'failed'
            when bool_or(is_declined) then 'held'
            when bool_and(status = 'success') filter (where kind = 'plan') then 'applied'
            when bool_or(status = 'pending') filter (where kind = 'plan') then 'planned'
        end as orchestration_status
    from changes
    group by segment_id
),

in_force as (
    {% include 'reading/in_force.sql' %}
)

update lead_segment_plans as plans
set
    orchestration_status = coalesce(outcomes.orchestration_status, plans.orchestration_status),
    actual_daily_budget_google_ads = in_force.amount
from outcomes
inner join in_force on outcomes.segment_id = in_force.segment_id
where
    plans.segment_id = outcomes.segment_id
    and plans.date = lead_today()
    and (plans.orchestration_status, plans.actual_daily_budget_google_ads)
    is distinct from (coalesce(outcomes.orchestration_status, plans.orchestration_status), in_force.amount)
