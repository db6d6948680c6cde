-- Grain: one claimed change that now has its outcome; gives back what was closed.
-- Why: a row is closed once; a second closer finds it closed and changes nothing.
update channel_orchestration_log as log
set
    status = outcome.status,
    error_code = outcome.error_code,
    error_detail = outcome.error_detail,
    request_id = outcome.request_id,
    closed_at = now()
from jsonb_to_recordset(%(outcomes)s) as outcome (
    id uuid, status text, error_code text, error_detail text, request_id text
)
where
    log.id = outcome.id
    -- Written so that neither an index on status nor one of the open rows fits: the row is found by its key.
    and log.status || '' = 'pending'
returning log.id
