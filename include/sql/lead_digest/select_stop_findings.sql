-- Grain: one open finding that stops what is decided on it, its days in one; the newest first.
-- Why: on call is told of what only a person ends. A check that failed its run was told of by that run.
select
    name,
    since,
    case when alike > 1 then format('%%s (And %%s more like it.)', detail, alike - 1) else detail end as detail,
    remediation,
    count(*) over () as total
from (
    select
        *,
        min(first_seen) over alike_ones as since,
        row_number() over (alike_ones order by date desc) as place,
        count(*) over alike_ones as alike
    from pipeline_findings
    where level = 'stop' and resolved_at is null and not starts_with(name, 'check_')
    window alike_ones as (partition by name, segment_id, channel, subject)
) as open_ones
where place = 1
order by since desc, name, subject
limit %(limit)s
