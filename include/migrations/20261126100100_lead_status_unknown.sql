-- Leads whose status means nothing to the pipeline are counted apart, so that many of them hold their segment and one does not.

set local lock_timeout = '5s';

alter table public.channel_metrics
add column leads_status_unknown integer,
add constraint channel_metrics_leads_status_unknown_check check (leads_status_unknown between 0 and leads_pending) not valid;

comment on column public.channel_metrics.leads_status_unknown is
'Channel leads only: how many of leads_pending have a status that lead_spellings does not know. NULL = counted before it was asked.';
