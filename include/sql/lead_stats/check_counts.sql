-- Grain: one row about the window: whether no count is negative, and which is.
-- Why: a negative count of leads cannot be; whatever wrote it may have written more that is wrong.
select
    count(*) = 0 as ok,
    format(
        '%%s row(s) of lead_generation_stats have a negative count, such as %%s.',
        count(*),
        array_to_string(
            (array_agg(segments.code || ' on ' || stats.date order by stats.date desc, segments.code))[1:5], ', '
        )
    ) as detail
from lead_generation_stats as stats
inner join lead_segments as segments on stats.segment_id = segments.id
where
    stats.date between %(first)s::date and %(last)s::date
    and least(stats.leads_generated, stats.leads_accepted, stats.leads_rejected, stats.leads_pending) < 0
