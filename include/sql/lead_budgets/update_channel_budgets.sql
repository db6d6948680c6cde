-- Grain: one budget whose amount in force was just seen.
-- Why: the plan's actual budget is the amount in force after settling, not the amount that was asked for.
update channel_budgets
set amount = %(amount)s
where channel = %(channel)s and budget_id = %(budget_id)s and amount is distinct from %(amount)s
