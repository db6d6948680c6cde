-- A file of its own: reading every row of the log must not hold up a claim, as it would in the transaction that adds the rules.

set local lock_timeout = '5s';

alter table public.channel_orchestration_log validate constraint channel_orchestration_log_kind_check;
alter table public.channel_orchestration_log validate constraint channel_orchestration_log_budget_check;
alter table public.channel_orchestration_log validate constraint channel_orchestration_log_manual_check;
