-- Grain: one active segment on one day: today, or what `day` is rendered as.
-- Why: the last lines of the run's log, what the digest tells, and `make show`; a change that a person reverted says so, whenever
-- that was.
{% set day = day | default('lead_today()') %}
select
    segments.code as segment,
    stats.capacity_total_leads as capacity,
    round(decisions.target_leads_per_day, 1) as target,
    round(decisions.expected_leads_per_day, 1) as expected,
    yesterday.lead_gap as gap,
    round(decisions.old_budget, 2) as old_budget,
    round(decisions.new_budget, 2) as new_budget,
    decisions.action,
    coalesce(decisions.is_blocked, false) as is_blocked,
    plans.orchestration_status as outcome,
    -- What became of it, for people.
    coalesce(reverts.said, changes.refused, plans.orchestration_status) as became,
    array_to_string(decisions.reasons, ', ') as reasons,
    concat_ws(' ', decisions.sentence, upper(left(reverts.said, 1)) || substr(reverts.said, 2) || '.') as sentence
from lead_segments as segments
left join lead_generation_stats as stats on segments.id = stats.segment_id and stats.date = {{ day }} - 1
left join lead_segment_plans as yesterday on segments.id = yesterday.segment_id and yesterday.date = {{ day }} - 1
left join lead_segment_plans as plans on segments.id = plans.segment_id and plans.date = {{ day }}
{% include 'reading/became.sql' %}
where segments.is_active
order by decisions.action desc nulls last, segments.code
