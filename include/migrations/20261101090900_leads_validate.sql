-- Checks the old rows of leads against the new constraints. Reads the table once; writers go on meanwhile.

set local lock_timeout = '2s';

alter table public.leads validate constraint leads_segment_id_fkey;
alter table public.leads validate constraint leads_source_channel_check;
