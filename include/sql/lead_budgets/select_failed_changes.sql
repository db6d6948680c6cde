-- Grain: one change of this run that was refused on this or an earlier try of the task.
-- Why: a retry that only finishes what was open must not make a run green that had a change refused. What a
-- person did not approve was not refused by anybody else.
select
    {% include 'reading/change.sql' %},
    true as is_today,
    concat_ws(': ', log.error_code, log.error_detail) as words
from channel_orchestration_log as log
inner join lead_segments as segments on log.segment_id = segments.id
where
    log.channel = %(channel)s
    and log.status = 'failed'
    and log.action_type = %(action_type)s
    and log.decision_date = lead_today()
    and log.dag_run_id = %(dag_run_id)s
    and (%(decisions)s::uuid[] is null or log.decision_id = any(%(decisions)s::uuid[]))
    and coalesce(log.error_code, '') not like 'approval%%'
order by log.external_id
