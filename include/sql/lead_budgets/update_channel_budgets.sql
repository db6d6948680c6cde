-- Grain: one budget whose amount in force was just seen.
-- Why: the plan's actual budget is the amount in force after settling, not the amount that was asked for.
update channel_budgets as budgets
set amount = seen.amount
from jsonb_to_recordset(%(seen)s) as seen (budget_id text, amount numeric)
where
    budgets.channel = %(channel)s
    and budgets.budget_id = seen.budget_id
    and budgets.amount is distinct from seen.amount
