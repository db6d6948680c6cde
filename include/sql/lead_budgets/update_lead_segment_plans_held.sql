-- Grain: one plan of today whose decision is to hold.
-- Why: 'held' tells marketing that the segment was evaluated and left as it is. Planned after join_whole_sets.sql, for rows just written.
update lead_segment_plans as plans
set orchestration_status = 'held'
from budget_decisions as decisions
where
    decisions.segment_id = plans.segment_id
    and decisions.decision_date = plans.date
    and decisions.channel = %(channel)s
    and decisions.decision_date = lead_today()
    and decisions.action = 'hold'
    and not decisions.is_blocked
    and plans.orchestration_status = 'planned'
