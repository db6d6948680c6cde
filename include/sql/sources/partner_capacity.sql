-- ADAPTER. Grain: one active partner in one (country, branch, region), with the leads it takes a day now; edit it to fit your tables.
-- Why: NULL means that nobody knows, and holds the segment's budget; 0 means that the partner takes none today. A partner
-- whose capacity was never entered is a row with NULL; only one that has left is no row. Words go out as they are written: what
-- they mean stands in the table lead_spellings. Tables without `country` are all of one: write 'NL' as country.
-- `absent_from` and `absent_to` are the first and the last day of an absence that the partner announced; NULL as absent_to = until
-- further notice. Several absences are several rows of the partner; a moment counts as its day in Amsterdam. Tables without them:
-- write null::date as absent_from and null::date as absent_to; an adapter that lacks the two columns knows of no absence.
-- What becomes of these rows (segments, absences, a partner written twice) is reading/partner_capacity.sql.
select
    partners.id as partner_id,
    partner_capacity.country,
    coalesce(partner_capacity.branch, partners.branch) as branch,
    coalesce(partner_capacity.region, partners.region) as region,
    partner_capacity.daily_leads,
    partner_capacity.absent_from,
    partner_capacity.absent_to
from partners
left join partner_capacity on partners.id = partner_capacity.partner_id
where partners.is_active
