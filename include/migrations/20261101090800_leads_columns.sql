-- leads belongs to the company and is in use: every step here is a change of the catalog only and holds its lock for an instant.
-- The constraints bind new rows at once; old rows are checked in the next file, under a lock that lets writers through.

-- Rather fail and be run again than queue the company's own writers behind a long reader.
set local lock_timeout = '2s';

-- Columns --------------------------------------------------------------------------------------------------------------

alter table public.leads
add column segment_id uuid,
add column source_channel text,
add column source_campaign_id text,
add column source_keyword text,
add constraint leads_segment_id_fkey foreign key (segment_id) references public.lead_segments (id)
on delete restrict not valid,
add constraint leads_source_channel_check check (source_channel ~ '^[a-z][a-z0-9_]*$') not valid;

comment on column public.leads.segment_id is 'Filled in once by the pipeline; NULL = not attributed (yet).';
comment on column public.leads.source_channel is 'google_ads, seo, microsite, ...; NULL = unknown.';
comment on column public.leads.source_campaign_id is 'The id of the campaign in the source channel.';
comment on column public.leads.source_keyword is 'The search term, where the source gave one.';

-- Row level security ---------------------------------------------------------------------------------------------------

-- Personal data: no policy for signed-in users is added here, and none of the company's own is touched. The pipeline reads,
-- and attributes a lead once.
grant select, update (segment_id) on public.leads to lead_pipeline;
create policy lead_pipeline_reads on public.leads
for select to lead_pipeline using (true);
create policy lead_pipeline_attributes_once on public.leads
for update to lead_pipeline using (segment_id is null) with check (segment_id is not null);
