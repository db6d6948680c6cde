-- Checks the segments' limits that were there before against the new constraint.

set local lock_timeout = '5s';

alter table public.lead_segment_channels validate constraint lead_segment_channels_monthly_budget_check;
