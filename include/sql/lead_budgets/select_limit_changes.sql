-- Grain: one value of a limit that somebody changed in the last 24 hours, the latest first, of at most as many as a form shows.
-- Why: whoever approves an increase sees who widened a limit just before.
select
    changes.changed_at,
    changes.changed_by,
    coalesce(
        segments.code || coalesce(' ' || changes.channel, ''),
        changes.branch || ' in ' || changes.country || ' ' || changes.channel,
        changes.table_name
    ) as subject,
    changes.column_name,
    changes.old_value,
    changes.new_value,
    count(*) over () as total
from limit_changes as changes
left join lead_segments as segments on changes.segment_id = segments.id
where changes.changed_at > now() - interval '1 day'
order by changes.changed_at desc, changes.id desc
limit %(limit)s
