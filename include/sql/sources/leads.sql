-- ADAPTER. Grain: one row of the company's own `leads` table; edit it to fit your columns.
-- Why: words go out as they are written: what a status, source, branch, region or country means stands in the table lead_spellings.
-- A table without `country` is all of one: write 'NL' as country. lead_time reads a column without a time zone as the clock in
-- Amsterdam; one that holds UTC is (leads.created_at at time zone 'UTC').
-- The pipeline may read the columns that are named here and no others: `make migrate` prints the grant that is missing.
-- `contact` says which posts are of one person through one form: two within ten minutes are one lead. It is the only place for
-- personal columns, and the pipeline never reads it: `make migrate` puts it into private.lead_contacts, which runs as the owner and
-- says which posts belong together, not of whom. null::text as contact switches that off; run `make migrate` after a change.
-- Tables and functions are named with their schema, because that function looks nowhere by itself.
select
    leads.id as lead_id,
    public.lead_time(leads.created_at) as created_at,
    leads.status,
    leads.country,
    leads.branch,
    leads.region,
    leads.postal_code,
    leads.source_channel,
    leads.segment_id
    {%- if with_contact | default(false) %},
    lower(coalesce(nullif(trim(leads.email), ''), nullif(trim(leads.phone), ''))) || ' ' || coalesce(leads.branch, '') as contact
    {%- endif %}
from public.leads
