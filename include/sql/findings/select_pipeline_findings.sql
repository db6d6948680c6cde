-- Grain: one finding that was seen since the run started.
-- Why: what needs a person is named in the run's own log, the worst first.
select
    name,
    level,
    detail,
    remediation,
    count(*) over () as total
from pipeline_findings
where last_seen >= %(since)s
order by array_position(array['stop', 'warn', 'info'], level), name, subject
limit 30
