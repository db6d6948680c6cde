-- Grain: one finding, known by (name, segment, channel, date, subject).
-- Why: a person can query what is wrong and since when; seeing it again only moves last_seen.
insert into pipeline_findings (name, level, segment_id, channel, date, subject, detail, remediation)
values (
    %(name)s, %(level)s, %(segment_id)s::uuid, %(channel)s, %(date)s::date, %(subject)s, %(detail)s, %(remediation)s
)
on conflict (name, segment_id, channel, date, subject) do update
set
    level = excluded.level,
    detail = excluded.detail,
    remediation = excluded.remediation,
    last_seen = now()
