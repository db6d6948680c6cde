-- Grain: one partner of one active segment, as the adapter gives it now.
-- Why: capacity and what is wrong with it are read by the same rule. What a segment cannot take in a day (less than nothing, no
-- number, more than the column of the sum holds) is not possible, and is named instead of added up.
select
    segments.id as segment_id,
    segments.code,
    source.partner_id,
    source.daily_leads::numeric as daily_leads,
    source.daily_leads is null or source.daily_leads::numeric between 0 and 2147483647 as is_possible
from ({% include 'sources/partner_capacity.sql' %}) as source
inner join lead_segments as segments
    on source.branch = segments.branch and source.region = segments.region and segments.is_active
