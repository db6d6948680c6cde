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
left join lateral (
    select *
    from budget_decisions as evaluated
    where
        evaluated.segment_id = segments.id
        and evaluated.channel = %(channel)s
        and evaluated.decision_date = {{ day }}
    order by evaluated.is_blocked, evaluated.evaluated_at desc
    limit 1
) as decisions on true
left join lateral (
    select string_agg(distinct 'failed: ' || log.error_code, ', ') as refused
    from channel_orchestration_log as log
    where
        log.segment_id = segments.id
        and log.channel = %(channel)s
        and log.decision_date = {{ day }}
        and log.kind = 'plan'
        and log.status = 'failed'
) as changes on true
left join lateral (
    {% include 'reading/reverts.sql' %}
) as reverts on true
where segments.is_active
order by decisions.action desc nulls last, segments.code
