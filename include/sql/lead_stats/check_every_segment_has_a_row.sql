-- Grain: one row about the window: whether every active segment has its row of each day, and which has not.
-- Why: an active segment without a row means that its leads were not read; a gap made from that would be made up.
select
    count(*) = 0 as ok,
    format(
        '%%s active segment(s) have no row of %%s, such as %%s.',
        count(*), %(last)s::date, array_to_string((array_agg(segments.code order by segments.code))[1:5], ', ')
    ) as detail
from lead_segments as segments
left join lead_generation_stats as stats on segments.id = stats.segment_id and stats.date = %(last)s::date
where segments.is_active and stats.segment_id is null
