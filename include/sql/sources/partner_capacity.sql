-- ADAPTER. Grain: one active partner in one (country, branch, region), with the leads it takes a day now; edit it to fit your tables.
-- Why: NULL means that nobody knows, and holds the segment's budget; 0 means that the partner takes none today. A partner
-- whose capacity was never entered is a row with NULL; only one that has left is no row. Words go out as they are written: what
-- they mean stands in the table lead_spellings. Tables without `country` are all of one: write 'NL' as country.
select
    partners.id as partner_id,
    partner_capacity.country,
    coalesce(partner_capacity.branch, partners.branch) as branch,
    coalesce(partner_capacity.region, partners.region) as region,
    partner_capacity.daily_leads
from partners
left join partner_capacity on partners.id = partner_capacity.partner_id
where partners.is_active
