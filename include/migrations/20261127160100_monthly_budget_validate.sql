-- Checks the one row of settings against the new constraint.

set local lock_timeout = '5s';

alter table public.orchestration_settings validate constraint orchestration_settings_monthly_budget_check;
