-- Grain: one row: how many rows each table gained or had rewritten since a moment.
-- Why: a second run of the same day must be able to say that it changed nothing, and be right.
select
    (select count(*) from public.lead_segment_plans where updated_at > %(since)s) as plans,
    (select count(*) from public.budget_decisions where created_at > %(since)s) as decisions,
    (
        select count(*)
        from public.channel_orchestration_log
        where created_at > %(since)s
    ) as log_rows,
    (
        select count(*)
        from public.channel_orchestration_log
        where created_at <= %(since)s and closed_at > %(since)s
    ) as log_rows_closed,
    (select count(*) from public.channel_metrics where updated_at > %(since)s) as metrics,
    (select count(*) from public.lead_generation_stats where updated_at > %(since)s) as stats;
