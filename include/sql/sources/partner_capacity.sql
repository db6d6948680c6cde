-- ADAPTER. Grain: one partner in one (branch, region), with the leads it takes a day now; edit it to fit your tables.
-- Why: NULL means that nobody knows, and holds the segment's budget; 0 means that the partner takes none today.
select
    partners.id as partner_id,
    lower(trim(partner_capacity.branch)) as branch,
    regexp_replace(lower(trim(partner_capacity.region)), '[ _]+', '-', 'g') as region,
    partner_capacity.daily_leads
from partner_capacity
inner join partners on partner_capacity.partner_id = partners.id
where partners.is_active
