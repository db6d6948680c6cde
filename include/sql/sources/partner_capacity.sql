-- ADAPTER. Grain: one partner in one (country, branch, region), with the leads it takes a day now; edit it to fit your tables.
-- Why: NULL means that nobody knows, and holds the segment's budget; 0 means that the partner takes none today. Words go out as
-- they are written; what they mean stands in the table lead_spellings. Tables without `country` are all of one: write 'NL' as country.
select
    partners.id as partner_id,
    partner_capacity.country,
    partner_capacity.branch,
    partner_capacity.region,
    partner_capacity.daily_leads
from partner_capacity
inner join partners on partner_capacity.partner_id = partners.id
where partners.is_active
