-- Grain: one claimed change without an outcome.
-- Why: what was claimed is finished before anything new is planned. Both filters are optional.
select
    {% include 'reading/change.sql' %},
    log.decision_date = lead_today() as is_today
from channel_orchestration_log as log
inner join lead_segments as segments on log.segment_id = segments.id
where
    log.channel = %(channel)s
    and log.status = 'pending'
    and log.kind <> 'manual'
    and (%(action_type)s::text is null or (log.action_type = %(action_type)s and log.decision_date = lead_today()))
order by log.account, log.external_id
