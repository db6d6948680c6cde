-- Checks the rows of channel_budgets against the new constraints. There is one per campaign; writers go on meanwhile.

set local lock_timeout = '5s';

alter table public.channel_budgets validate constraint channel_budgets_shares_check;
alter table public.channel_budgets validate constraint channel_budgets_recommended_budget_check;
