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
        coalesce(sum(claimed.step) filter (where claimed.status = 'pending'), 0) as claimed,
        coalesce(sum(claimed.step) filter (where claimed.kind = 'plan'), 0) as of_today
    from (
        {% include 'reading/increases.sql' %}
    ) as claimed
)

select
    in_force.amount + increases.claimed as total_budget,
    increases.of_today as total_increase
from in_force
cross join increases
