-- A rule of ours on a table of the company's may never refuse its insert: any text is accepted, and read by lead_spellings.

-- Rather fail and be run again than queue the company's own writers behind a long reader.
set local lock_timeout = '2s';

-- squawk-ignore ban-drop-constraint
alter table public.leads drop constraint leads_source_channel_check;

comment on column public.leads.segment_id is
'Filled in once by the pipeline; NULL = not attributed (yet). The company''s own inserts leave it out.';
comment on column public.leads.source_channel is
'What brought the lead, as the form or the import says it, any text: Google Ads, seo, microsite, ... What it means stands in '
'lead_spellings; NULL = unknown.';
