-- Grain: one increase that was shown to a person and is not, or not so, what was decided today.
-- Why: what is sent is what the person saw; where a decision was altered after it was shown, nothing is.
select
    shown.segment,
    shown.old_budget as shown_old,
    shown.new_budget as shown_new,
    decisions.old_budget as decided_old,
    decisions.new_budget as decided_new
from jsonb_to_recordset(%(asked)s) as shown (decision_id uuid, segment text, old_budget numeric, new_budget numeric)
left join budget_decisions as decisions
    on
        shown.decision_id = decisions.id
        and decisions.channel = %(channel)s
        and decisions.decision_date = lead_today()
        and decisions.action = 'increase'
left join lead_segments as segments on decisions.segment_id = segments.id
where
    (shown.segment, shown.old_budget, shown.new_budget)
    is distinct from (segments.code, decisions.old_budget, decisions.new_budget)
order by shown.segment
