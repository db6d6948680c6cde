-- Grain: one claimed change that now has its outcome.
-- Why: a row is closed once; a second closer finds it closed and changes nothing.
update channel_orchestration_log
set
    status = %(status)s,
    error_code = %(error_code)s,
    error_detail = %(error_detail)s,
    request_id = %(request_id)s,
    closed_at = now()
where
    id = %(id)s
    -- Written so that neither an index on status nor one of the open rows fits: the row is found by its key.
    and status || '' = 'pending'
