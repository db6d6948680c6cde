-- Grain: one row for each active segment, as it stands today.
-- Why: the table at the end of `make run`: what was expected, what was decided, and what became of it.
select
    segment.code as segment,
    stats.capacity_total_leads as capacity,
    round(decision.target_leads_per_day, 1) as target,
    round(decision.expected_leads_per_day, 1) as expected,
    yesterday.lead_gap as gap_yesterday,
    round(decision.old_budget, 2) as old_budget,
    round(decision.new_budget, 2) as new_budget,
    decision.action,
    coalesce(changes.outcome, today.orchestration_status) as outcome,
    array_to_string(decision.reasons, ', ') as reason
from public.lead_segments as segment
left join public.lead_generation_stats as stats
    on segment.id = stats.segment_id and stats.date = public.lead_today() - 1
left join public.lead_segment_plans as yesterday
    on segment.id = yesterday.segment_id and yesterday.date = public.lead_today() - 1
left join public.lead_segment_plans as today
    on segment.id = today.segment_id and today.date = public.lead_today()
left join lateral (
    select latest.*
    from public.budget_decisions as latest
    where latest.segment_id = segment.id and latest.decision_date = public.lead_today()
    order by latest.is_blocked, latest.evaluated_at desc
    limit 1
) as decision on true
left join lateral (
    select string_agg(distinct 'failed: ' || log.error_code, ', ') as outcome
    from public.channel_orchestration_log as log
    where log.segment_id = segment.id and log.decision_date = public.lead_today() and log.status = 'failed'
        and log.kind <> 'manual'
) as changes on true
where segment.is_active
order by segment.code;
