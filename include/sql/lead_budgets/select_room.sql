-- Grain: one row: what is in force on a channel and on its way there, and what of today's increases has been made or claimed.
-- Why: the limits are looked at again right before an increase is claimed: hours may lie between a decision and its approval.
with budgets_in_force as (
    {% include 'reading/budgets.sql' %}
),

in_force as (
    select coalesce(sum(each_budget.amount), 0) as amount
    from (
        select distinct
            budget_id,
            amount
        from budgets_in_force
    ) as each_budget
),

increases as (
    select
        coalesce(sum(log.new_value - log.old_value) filter (where log.status = 'pending'), 0) as claimed,
        coalesce(sum(log.new_value - log.old_value) filter (where log.kind = 'plan'), 0) as of_today
    from channel_orchestration_log as log
    where
        log.channel = %(channel)s
        and log.decision_date = lead_today()
        and log.status in ('pending', 'success')
        and log.kind <> 'manual'
        and log.new_value > log.old_value
        -- A pending row that no decision covers, nor the change that it reverts, is never sent and takes no room.
        and (
            log.status = 'success'
            or log.new_value - log.old_value <= (
                select decisions.new_budget - decisions.old_budget
                from budget_decisions as decisions
                where decisions.id = log.decision_id
            )
            or log.new_value = (
                select reverted.old_value
                from channel_orchestration_log as reverted
                where reverted.id = log.reverts
            )
        )
)

select
    in_force.amount + increases.claimed as total_budget,
    increases.of_today as total_increase
from in_force
cross join increases
