-- Grain: one partner of one active segment, as the adapter gives it now.
-- Why: capacity and what is wrong with it are read by the same rule. What a segment cannot take in a day (less than nothing, no
-- number, more than the column of the sum holds) is not possible, and is named instead of added up. `daily_leads` is what the
-- partner takes while it is there; `absent_days` are those of the seven from today on, and `absent_until` NULL = further notice.
with {% include 'reading/partner_capacity.sql' %}

partners as (
    select
        partner_areas.segment_id,
        segments.code,
        partner_areas.partner_id,
        partner_areas.daily_leads,
        partner_areas.is_possible,
        partner_areas.is_absent,
        (
            select coalesce(sum(upper(days) - lower(days)), 0)
            from unnest(partner_areas.away) as days
        ) as absent_days,
        partner_areas.absent_until,
        partner_areas.impossible_absence
    from partner_areas
    inner join lead_segments as segments on partner_areas.segment_id = segments.id
)

select
    segment_id,
    code,
    partner_id,
    daily_leads,
    is_possible,
    is_absent,
    absent_days,
    absent_until,
    impossible_absence
from partners
