-- ADAPTER. Grain: one row of the company's own `leads` table; edit it to fit your columns.
-- Why: words go out as they are written: what a status, source, branch, region or country means stands in the table lead_spellings.
-- A table without `country` is all of one: write 'NL' as country. lead_time reads a column without a time zone as the clock in
-- Amsterdam; one that holds UTC is (leads.created_at at time zone 'UTC').
-- `contact` says which posts are of one person through one form: two within ten minutes are one lead. null::bigint as contact
-- switches that off. No personal column is named but here, and only its hash is read on; nothing of it leaves Postgres.
select
    leads.id as lead_id,
    lead_time(leads.created_at) as created_at,
    leads.status,
    leads.country,
    leads.branch,
    leads.region,
    leads.postal_code,
    leads.source_channel,
    leads.segment_id,
    hashtextextended(
        lower(coalesce(nullif(trim(leads.email), ''), nullif(trim(leads.phone), ''))) || ' ' || coalesce(leads.branch, ''), 0
    ) as contact
from leads
