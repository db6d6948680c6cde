-- Grain: one increase of today that waits for a person.
-- Why: what the question shows, and what its answer is about. Leads are those of the week, which is what a budget is chosen for.
select
    decisions.id::text as decision_id,
    segments.code as segment,
    decisions.old_budget,
    decisions.new_budget,
    week.expected,
    week.target,
    (decisions.inputs ->> 'expected_after')::numeric as expected_after,
    decisions.sentence
from budget_decisions as decisions
inner join lead_segments as segments on decisions.segment_id = segments.id
inner join lead_segment_plans as plans
    on decisions.segment_id = plans.segment_id and decisions.decision_date = plans.date
cross join lateral (
    {% set decision = 'decisions' %}{% include 'reading/week.sql' %}
) as week
where
    decisions.channel = %(channel)s
    and decisions.decision_date = lead_today()
    and decisions.action = 'increase'
    and not decisions.is_blocked
    and not decisions.is_dry_run
    and plans.orchestration_status = 'waiting_approval'
    and not exists (
        select 1
        from channel_orchestration_log as log
        where log.decision_id = decisions.id and log.decision_date = decisions.decision_date
    )
order by decisions.new_budget - decisions.old_budget desc, segments.code
