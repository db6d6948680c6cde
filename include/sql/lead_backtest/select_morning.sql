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
    {%- set which %}
        evaluated.channel = %(channel)s and evaluated.decision_date = %(morning)s
    {%- endset %}
    {% include 'reading/decisions.sql' %}
) as decided on segments.id = decided.segment_id
where segments.is_active
order by segments.id
