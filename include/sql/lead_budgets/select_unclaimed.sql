-- Grain: one budget of a segment whose change of today was decided and not yet claimed.
-- Why: each budget gets a claim of its own; a segment that a person switched off meanwhile, or paused, gets none. A dry run
-- looks only at what it decided itself.
select
    decisions.id as decision_id,
    decisions.segment_id,
    segments.code as segment,
    decisions.old_budget,
    decisions.new_budget,
    limits.max_daily_budget,
    limits.max_increase_pct,
    budgets.account,
    budgets.budget_id,
    budgets.amount,
    budgets.is_budget_limited,
    -- Hours may lie between a decision and its approval; where a person set the target, capacity decided nothing.
    decisions.inputs ->> 'target_override' is null
    and (
        -- Of the coming week, as it was decided on: who is away only today has not left, who will be away is missed.
        coalesce(
            stats.capacity_total_leads + coalesce(stats.capacity_absent_leads, 0) - coalesce(stats.capacity_absent_week, 0), 0
        ) < 0.8 * (
            (decisions.inputs ->> 'capacity_total_leads')::numeric
            + coalesce((decisions.inputs ->> 'capacity_absent_leads')::numeric, 0)
            - coalesce((decisions.inputs ->> 'capacity_absent_week')::numeric, 0)
        )
        or exists (
            select 1
            from pipeline_findings as failed
            where failed.name = 'capacity_source_failed' and failed.resolved_at is null
        )
    ) as capacity_lost
from budget_decisions as decisions
inner join lead_segment_plans as plans
    on decisions.segment_id = plans.segment_id and decisions.decision_date = plans.date
inner join (
    {% include 'reading/budgets.sql' %}
) as budgets on decisions.segment_id = budgets.segment_id
inner join lead_segments as segments on decisions.segment_id = segments.id and segments.is_active
inner join lead_segment_channels as limits
    on decisions.segment_id = limits.segment_id and decisions.channel = limits.channel and limits.is_automated
left join lead_generation_stats as stats
    on decisions.segment_id = stats.segment_id and stats.date = lead_today() - 1
where
    decisions.channel = %(channel)s
    and decisions.decision_date = lead_today()
    and decisions.action = %(action)s
    and not decisions.is_blocked
    and decisions.is_dry_run = %(dry_run)s
    and (not decisions.is_dry_run or decisions.dag_run_id = %(dag_run_id)s)
    and plans.orchestration_status = %(status)s
    and (%(decisions)s::uuid[] is null or decisions.id = any(%(decisions)s::uuid[]))
    and not exists (
        select 1
        from channel_orchestration_log as log
        where log.decision_id = decisions.id and log.decision_date = decisions.decision_date
    )
order by decisions.segment_id, budgets.budget_id
