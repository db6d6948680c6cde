-- Grain: one change that a revert of today was claimed for.
-- Why: a claim that conflicts with another is skipped in silence; the difference is told to the person who asked.
select reverts
from channel_orchestration_log
where reverts = any(%(reverts)s::uuid[]) and decision_date = lead_today()
