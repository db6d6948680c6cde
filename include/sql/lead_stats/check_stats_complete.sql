-- Grain: one boolean for the last day of the window.
-- Why: an active segment without a row means that its leads were not read; a gap made from that would be made up.
select count(*) = 0 as every_active_segment_has_a_row
from lead_segments as segments
left join lead_generation_stats as stats on segments.id = stats.segment_id and stats.date = %(last)s::date
where segments.is_active and stats.segment_id is null
