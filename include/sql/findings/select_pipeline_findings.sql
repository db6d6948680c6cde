-- Grain: one open finding that was seen since the run started, its days in one.
-- Why: what needs a person is named in the run's own log, the worst first; a month of one campaign is one line.
select
    name,
    level,
    case when alike > 1 then format('%%s (And %%s more like it.)', detail, alike - 1) else detail end as detail,
    remediation,
    count(*) over () as total
from (
    select
        *,
        row_number() over (partition by name, level, segment_id, channel, subject order by date desc) as place,
        count(*) over (partition by name, level, segment_id, channel, subject) as alike
    from pipeline_findings
    where last_seen >= %(since)s and resolved_at is null
) as seen
where place = 1
order by array_position(array['stop', 'warn', 'info'], level), name, subject
limit 30
