-- Grain: one branch that has a monthly budget: its calendar month so far.
-- Why: whoever reads the day also reads whether the money of each branch lasts.
select
    country,
    branch,
    month,
    monthly_budget,
    spent,
    assumed,
    projected,
    at_most
from month_pace_levels
where
    level = 'branch'
    and monthly_budget is not null
    and exists (select 1 from lead_branch_channels as limits where limits.monthly_budget is not null)
order by country, branch
