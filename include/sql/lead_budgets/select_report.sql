-- Grain: one active segment today.
-- Why: the last lines of the run's log, and what the digest tells.
select
    segments.code as segment,
    stats.capacity_total_leads as capacity,
    round(decisions.target_leads_per_day, 1) as target,
    round(decisions.expected_leads_per_day, 1) as expected,
    yesterday.lead_gap as gap,
    round(decisions.old_budget, 2) as old_budget,
    round(decisions.new_budget, 2) as new_budget,
    decisions.action,
    plans.orchestration_status as outcome,
    array_to_string(decisions.reasons, ', ') as reasons,
    decisions.sentence
from lead_segments as segments
left join lead_generation_stats as stats on segments.id = stats.segment_id and stats.date = lead_today() - 1
left join lead_segment_plans as yesterday on segments.id = yesterday.segment_id and yesterday.date = lead_today() - 1
left join lead_segment_plans as plans on segments.id = plans.segment_id and plans.date = lead_today()
left join lateral (
    select *
    from budget_decisions as evaluated
    where
        evaluated.segment_id = segments.id
        and evaluated.channel = %(channel)s
        and evaluated.decision_date = lead_today()
    order by evaluated.is_blocked, evaluated.evaluated_at desc
    limit 1
) as decisions on true
where segments.is_active
order by decisions.action desc nulls last, segments.code
