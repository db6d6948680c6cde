-- What tells a campaign whose budget may be steered from one that costs nothing, or that is left alone.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

alter table public.channel_budgets add column not_serving text;
alter table public.channel_budgets add column not_steerable text;
alter table public.channel_budgets add column not_steerable_detail text;
alter table public.channel_budgets add column base_campaign_id text;
alter table public.channel_budgets add column budget_moved_at timestamptz;

comment on column public.channel_budgets.amount is
'EUR per day in force when last read or settled. Of a budget for a whole period: its total divided by the days of the campaign.';
comment on column public.channel_budgets.campaigns_on_budget is
'How many campaigns the budget pays for, experiments and drafts not counted; more than the segment has on it = shared with '
'another segment.';
comment on column public.channel_budgets.is_serving is
'Whether the campaign may cost something: enabled, begun, not ended, no draft, in an account that serves.';
comment on column public.channel_budgets.not_serving is 'The reason code why it costs nothing, such as campaign_paused; NULL = it serves.';
comment on column public.channel_budgets.not_steerable is
'The reason code why the budget of a campaign that serves is left alone, such as campaign_experiment; NULL = it may be changed.';
comment on column public.channel_budgets.not_steerable_detail is 'What the channel said of it.';
comment on column public.channel_budgets.base_campaign_id is 'The campaign that an experiment or a draft was made from.';
comment on column public.channel_budgets.budget_moved_at is
'When the campaign was last found to pay from another budget than at the read before; NULL = not since it was first read.';
