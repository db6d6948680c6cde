-- Grain: one finding, known by (name, segment, channel, date, subject); the worst where one is given twice.
-- Why: a person can query what is wrong and since when; seen again it only moves last_seen. Ordered, so that two runs never deadlock.
insert into pipeline_findings (name, level, segment_id, channel, date, subject, detail, remediation)
select distinct on (found.name, found.segment_id, found.channel, found.date, found.subject)
    found.name,
    found.level,
    found.segment_id,
    found.channel,
    found.date,
    found.subject,
    found.detail,
    found.remediation
from jsonb_to_recordset(%(findings)s::jsonb) as found (
    name text, level text, segment_id uuid, channel text, date date, subject text, detail text, remediation text
)
order by
    found.name,
    found.segment_id,
    found.channel,
    found.date,
    found.subject,
    array_position(array['stop', 'warn', 'info'], found.level)
on conflict (name, segment_id, channel, date, subject) do update
set
    level = excluded.level,
    detail = excluded.detail,
    remediation = excluded.remediation,
    last_seen = greatest(pipeline_findings.last_seen, now())
