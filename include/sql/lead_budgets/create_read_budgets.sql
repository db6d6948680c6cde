-- Grain: one campaign of the account that is being read; money in micros, as the source gives it.
-- Why: COPY first, then one ordered upsert.
create temporary table read_budgets (
    campaign_id text not null,
    campaign_name text,
    budget_id text not null,
    amount_micros bigint not null,
    campaigns_on_budget integer not null,
    is_budget_limited boolean,
    is_learning boolean,
    is_serving boolean not null,
    not_serving text,
    not_steerable text,
    not_steerable_detail text,
    base_campaign_id text,
    currency text not null,
    time_zone text not null,
    changed_at timestamptz,
    changed_by text,
    search_impression_share numeric,
    budget_lost_share numeric,
    recommended_micros numeric
) on commit drop
