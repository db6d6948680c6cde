-- Grain: one decision of today that has its claim.
-- Why: of what a person approved, whatever has no claim is told to that person.
select distinct decision_id
from channel_orchestration_log
where decision_id = any(%(decisions)s::uuid[]) and decision_date = lead_today()
