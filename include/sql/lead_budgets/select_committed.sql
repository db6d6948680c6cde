-- Grain: one row: what today's earlier decisions have already taken of the day's limits.
-- Why: a later run of the same day shares the total cap and the daily increase with the first.
select
    coalesce(sum(greatest(new_budget, old_budget)), 0) as total_budget,
    coalesce(sum(greatest(new_budget - old_budget, 0)), 0) as total_increase
from budget_decisions
where channel = %(channel)s and decision_date = lead_today() and not is_blocked
