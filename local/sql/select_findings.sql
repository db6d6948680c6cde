-- Grain: one row for each name and level of the open findings seen today that need somebody's attention.
-- Why: they are printed under the table, so that a morning that looks calm cannot hide a broken source.
select
    level,
    name,
    count(*) as how_many,
    (array_agg(detail order by last_seen desc))[1] as detail,
    (array_agg(remediation order by last_seen desc))[1] as remediation
from public.pipeline_findings
where level in ('stop', 'warn') and resolved_at is null and last_seen >= public.lead_today()::timestamp at time zone 'Europe/Amsterdam'
group by level, name
order by level, name;
