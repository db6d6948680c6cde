-- Checks the old rows of channel_metrics against the new constraint. Reads the table once; writers go on meanwhile.

set local lock_timeout = '5s';

alter table public.channel_metrics validate constraint channel_metrics_leads_status_unknown_check;
