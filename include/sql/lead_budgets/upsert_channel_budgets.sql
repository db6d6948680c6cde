-- Grain: one campaign of one account.
-- Why: decisions are made on budgets read in the same run only, so each row says which run read it.
insert into channel_budgets (
    channel, account, campaign_id, campaign_name, budget_id, amount, campaigns_on_budget,
    is_budget_limited, is_learning, is_serving, currency, time_zone, changed_at, changed_by, dag_run_id
)
select
    %(channel)s,
    %(account)s,
    campaign_id,
    campaign_name,
    budget_id,
    amount_micros::numeric / 1000000,
    campaigns_on_budget,
    is_budget_limited,
    is_learning,
    is_serving,
    currency,
    time_zone,
    changed_at,
    changed_by,
    %(dag_run_id)s
from read_budgets
order by campaign_id
on conflict (channel, account, campaign_id) do update
set
    campaign_name = excluded.campaign_name,
    budget_id = excluded.budget_id,
    amount = excluded.amount,
    campaigns_on_budget = excluded.campaigns_on_budget,
    is_budget_limited = excluded.is_budget_limited,
    is_learning = excluded.is_learning,
    is_serving = excluded.is_serving,
    currency = excluded.currency,
    time_zone = excluded.time_zone,
    changed_at = excluded.changed_at,
    changed_by = excluded.changed_by,
    dag_run_id = excluded.dag_run_id
