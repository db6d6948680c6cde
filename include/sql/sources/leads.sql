-- ADAPTER. Grain: one lead of the company's own `leads` table, in the words of this pipeline; edit it to fit your columns.
-- Why: status is 'accepted', 'rejected' or 'pending' (not yet decided is not rejected); no personal column is named here.
select
    leads.id as lead_id,
    leads.created_at,
    case leads.status when 'accepted' then 'accepted' when 'rejected' then 'rejected' else 'pending' end as status,
    lower(trim(leads.branch)) as branch,
    upper(replace(leads.postal_code, ' ', '')) as postal_code,
    regexp_replace(lower(trim(leads.region)), '[ _]+', '-', 'g') as region,
    nullif(lower(trim(leads.source_channel)), '') as source_channel,
    leads.segment_id
from leads
