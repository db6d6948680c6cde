-- Checks the rows that there are against the new constraints; writers go on meanwhile.

set local lock_timeout = '5s';

alter table public.channel_metrics validate constraint channel_metrics_capacity_absent_check;
alter table public.lead_generation_stats validate constraint lead_generation_stats_capacity_absent_check;
