-- Grain: one active segment on one past morning.
-- Why: what was decided then and from what, or, where nothing was, what the statistics say of the day before.
select
    segments.id::text as segment_id,
    segments.code,
    segments.country,
    segments.branch,
    stats.capacity_total_leads,
    stats.capacity_absent_leads,
    stats.capacity_absent_week,
    stats.capacity_absent_until,
    decided.action,
    decided.old_budget,
    decided.new_budget,
    decided.reasons,
    decided.inputs
from lead_segments as segments
inner join lead_generation_stats as stats on segments.id = stats.segment_id and stats.date = %(morning)s::date - 1
left join (
    select distinct on (segment_id)
        segment_id,
        action,
        old_budget,
        new_budget,
        reasons,
        inputs
    from budget_decisions
    where channel = %(channel)s and decision_date = %(morning)s
    order by segment_id, is_blocked, evaluated_at desc
) as decided on segments.id = decided.segment_id
where segments.is_active
order by segments.id
