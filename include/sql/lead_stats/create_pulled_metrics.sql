-- Grain: one (segment, day) of the account that is being pulled; money in micros, as the source gives it.
-- Why: COPY is the fastest way in, and one ordered upsert from here never deadlocks with another pull.
create temporary table pulled_metrics (
    segment_id uuid not null,
    date date not null,
    spend_micros bigint,
    daily_budget_micros bigint,
    conversions_micros bigint,
    impressions bigint,
    clicks bigint,
    visits bigint,
    microsite_visits bigint,
    microsite_leads bigint,
    is_final boolean not null,
    is_empty boolean not null default false
) on commit drop
