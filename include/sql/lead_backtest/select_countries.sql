-- Grain: one country with an active segment.
-- Why: whose public holidays a replay has to know.
select distinct country
from lead_segments
where is_active
order by country
