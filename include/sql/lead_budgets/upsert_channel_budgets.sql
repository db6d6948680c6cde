-- Grain: one campaign of one account.
-- Why: decisions are made on budgets read in the same run only, so each row says which run read it. A campaign that pays from
-- another budget than at the last read was moved since: at the time of the event where there is one, else at some time until now.
insert into channel_budgets (
    channel, account, campaign_id, campaign_name, budget_id, amount, campaigns_on_budget,
    is_budget_limited, is_learning, is_serving, not_serving, not_steerable, not_steerable_detail, base_campaign_id,
    currency, time_zone, changed_at, changed_by, search_impression_share, budget_lost_share, recommended_budget, dag_run_id
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
    not_serving,
    not_steerable,
    not_steerable_detail,
    base_campaign_id,
    currency,
    time_zone,
    changed_at,
    changed_by,
    search_impression_share,
    budget_lost_share,
    recommended_micros / 1000000,
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
    not_serving = excluded.not_serving,
    not_steerable = excluded.not_steerable,
    not_steerable_detail = excluded.not_steerable_detail,
    base_campaign_id = excluded.base_campaign_id,
    budget_moved_at = case
        when channel_budgets.budget_id = excluded.budget_id then channel_budgets.budget_moved_at
        when excluded.changed_at > channel_budgets.updated_at then excluded.changed_at
        else now()
    end,
    currency = excluded.currency,
    time_zone = excluded.time_zone,
    changed_at = excluded.changed_at,
    changed_by = excluded.changed_by,
    search_impression_share = excluded.search_impression_share,
    budget_lost_share = excluded.budget_lost_share,
    recommended_budget = excluded.recommended_budget,
    dag_run_id = excluded.dag_run_id
