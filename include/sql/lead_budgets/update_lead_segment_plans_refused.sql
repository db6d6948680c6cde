-- Grain: one plan of today whose change could not be claimed.
-- Why: it is not claimed again today, and marketing sees that nothing was sent.
update lead_segment_plans
set orchestration_status = 'failed'
where segment_id = any(%(segments)s) and date = lead_today() and orchestration_status in ('planned', 'waiting_approval')
