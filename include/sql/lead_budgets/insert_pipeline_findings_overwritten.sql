-- Grain: one budget that somebody else changed lately.
-- Why: an edit between our look at the budget and our send is gone without a trace in the budget itself; a person must know.
-- The edit's time is told in whole seconds, and the claim is made in the same one.
insert into pipeline_findings (name, level, segment_id, channel, subject, detail, remediation)
select
    'edit_overwritten',
    'warn',
    log.segment_id,
    log.channel,
    log.external_id,
    format(
        '%%s changed budget %%s of %%s at %%s, while it was being set from %%s to %%s; the %%s is in force.',
        %(changed_by)s::text, log.external_id, segments.code,
        to_char(%(changed_at)s::timestamptz at time zone 'Europe/Amsterdam', 'HH24:MI:SS'),
        round(log.old_value, 2), round(log.new_value, 2), round(log.new_value, 2)
    ),
    'Ask what that person wanted; to undo our change, start lead_budget_revert with the id of its log row.'
from channel_orchestration_log as log
inner join lead_segments as segments on log.segment_id = segments.id
where
    log.channel = %(channel)s
    and log.external_id = %(budget_id)s
    and log.status = 'success'
    and log.decision_date >= lead_today() - 1
    and %(changed_at)s::timestamptz between date_trunc('second', log.created_at) and log.closed_at
on conflict (name, segment_id, channel, date, subject) do update
set
    level = excluded.level,
    detail = excluded.detail,
    remediation = excluded.remediation,
    last_seen = greatest(pipeline_findings.last_seen, now())
