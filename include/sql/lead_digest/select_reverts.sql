-- Grain: one revert that took effect since the digest of yesterday, at 08:00.
-- Why: whoever reads the digest learns of each revert once, with who did it and when.
select
    segments.code as segment,
    log.old_value,
    log.new_value,
    log.decided_by,
    log.closed_at,
    reverted.decision_date as of_date
from channel_orchestration_log as log
inner join lead_segments as segments on log.segment_id = segments.id
inner join channel_orchestration_log as reverted on log.reverts = reverted.id
where
    log.channel = %(channel)s
    and log.kind = 'revert'
    and log.status = 'success'
    and log.decision_date >= lead_today() - 1
    and log.closed_at >= ((lead_today() - 1)::timestamp + interval '8 hours') at time zone 'Europe/Amsterdam'
order by log.closed_at, segments.code
