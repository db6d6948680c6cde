-- Grain: one change of today that was made or waits for a person.
-- Why: what the changes should bring together: leads per day over the week, at the new budget and had nothing been changed.
select
    segments.code as segment,
    nullif((decisions.inputs ->> 'expected_after')::numeric, 'NaN') as leads_after,
    coalesce(nullif((decisions.inputs ->> 'expected_week')::numeric, 'NaN'), decisions.expected_leads_per_day) as leads_alone
from budget_decisions as decisions
inner join lead_segments as segments on decisions.segment_id = segments.id
where
    decisions.channel = %(channel)s
    and decisions.decision_date = lead_today()
    and decisions.action in ('increase', 'decrease')
    and segments.is_active
order by segments.code
