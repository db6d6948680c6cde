-- Grain: one partner of one active segment, as the adapter gives it now.
-- Why: capacity and what is wrong with it are read by the same rule. What a segment cannot take in a day (less than nothing, no
-- number, more than the column of the sum holds) is not possible, and is named instead of added up.
with {% include 'reading/capacity.sql' %}

partners as (
    select
        partner_areas.segment_id,
        segments.code,
        partner_areas.partner_id,
        partner_areas.daily_leads,
        partner_areas.is_possible
    from partner_areas
    inner join lead_segments as segments on partner_areas.segment_id = segments.id
)

select
    segment_id,
    code,
    partner_id,
    daily_leads,
    is_possible
from partners
