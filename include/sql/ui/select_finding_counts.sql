-- Grain: a JSON list, one entry per name and level of open findings, the worst and most frequent first.
-- Why: of many findings the page lists the first; how many there are of each kind is said of all.
select
    coalesce(
        json_agg(
            json_build_object('name', counted.name, 'level', counted.level, 'n', counted.n)
            order by array_position(array['stop', 'warn', 'info'], counted.level), counted.n desc, counted.name
        ),
        '[]'
    )::text as finding_counts
from (
    select
        findings.name,
        findings.level,
        count(*) as n
    from pipeline_findings as findings
    where findings.resolved_at is null
    group by findings.name, findings.level
) as counted
