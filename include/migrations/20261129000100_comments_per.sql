-- Comments of tables and columns in the words of docs/glossary.md: "per" for a rate and for a row's grain, "reverted" for a change
-- that was set back. No data is touched.

set local lock_timeout = '5s';

comment on table public.lead_generation_stats is
'One row per segment per day (Europe/Amsterdam). NULL = not known, 0 = known to be none.';
comment on table public.lead_segment_plans is
'One row per segment per day. The first evaluation of a day owns its plan; of a past plan only lead_gap still changes.';
comment on column public.lead_segment_plans.target_leads_per_day is 'Generated leads per day to aim for: capacity / acceptance.';
comment on column public.lead_segment_plans.target_daily_budget_google_ads is 'EUR per day that the plan asks for.';
comment on column public.lead_segment_plans.actual_daily_budget_google_ads is 'EUR per day in force after settling.';
comment on column public.lead_segment_channels.min_daily_budget is 'EUR per day, the floor.';
comment on column public.lead_segment_channels.max_daily_budget is 'EUR per day, the cap.';
comment on column public.orchestration_settings.max_daily_increase is 'EUR per day: all increases of one day together.';
comment on column public.orchestration_settings.approval_threshold is 'EUR per day: an increase above it waits for a person.';
comment on table public.channel_metrics is
'One row per (segment, channel, account, day), summed over campaigns, as the source gave it. Not fetched = no row; none = 0.';
comment on table public.channel_fetches is
'One row per fetch that succeeded. How fresh a channel is, is read here, so that unchanged metrics need no rewrite.';
comment on table public.budget_decisions is
'Every evaluation of a segment. One per day counts; evaluations that missing data blocked may be repeated the same day.';
comment on column public.budget_decisions.target_leads_per_day is 'Generated leads per day, exact; the plan has it rounded.';
comment on column public.budget_decisions.realised_leads_7d is 'Generated leads per day in the 7 days after it; filled in later.';
comment on column public.budget_decisions.realised_leads_14d is
'Generated leads per day in the 14 days after it; filled in later.';
comment on column public.channel_orchestration_log.old_value is
'EUR per day in force when the change was decided; of a manual row, any number that says what was before, or NULL.';
comment on column public.channel_orchestration_log.new_value is
'EUR per day, absolute, so that sending it twice does no harm; of a manual row, any number that says what is now, or NULL.';
comment on table public.channel_budgets is
'One row per campaign with its budget as last read. Rows of another dag_run_id than the deciding run are not used for a decision.';
comment on column public.orchestration_settings.min_capacity_leap is
'Leads per day: a smaller difference from the usual capacity is no leap, whatever its ratio.';
comment on column public.capacity_confirmations.confirmed_capacity is
'Leads per day that the partners of the segment really take; 0 where segment_id is NULL.';
comment on table public.channel_totals is
'One row per (channel, account, day, metric): in_segments + in_none + not_counted + left_out = reported, within the tolerance.';
comment on column public.channel_totals.metric is
'spend (EUR), impressions, clicks, conversions, sessions, leads, or capacity (accepted leads per day).';
comment on view public.budget_outcomes is
'One row per evaluation that data did not block: leads per day that were promised for its seven days and that came. A change '
'that was not made, or was reverted the same day, is a hold.';
