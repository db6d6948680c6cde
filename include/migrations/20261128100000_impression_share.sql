-- What a channel says of a budget besides its amount: whether it truly limits its campaign. A check and a line in the sentence of a
-- decision, never a number that is decided by.

set local lock_timeout = '5s';

-- No default: no row is rewritten, and what was never asked is not known.
alter table public.channel_budgets
add column search_impression_share numeric(5, 4),
add column budget_lost_share numeric(5, 4),
add column recommended_budget numeric(14, 6),
add constraint channel_budgets_shares_check check (
    search_impression_share between 0 and 1 and budget_lost_share between 0 and 1
) not valid,
add constraint channel_budgets_recommended_budget_check check (
    recommended_budget >= 0 and recommended_budget < 'Infinity'
) not valid;

comment on column public.channel_budgets.search_impression_share is
'Of the searches that the campaign could have been shown on in the last 14 whole days, the part on which it was; 0.0999 = less than '
'10%; NULL = the channel did not say.';
comment on column public.channel_budgets.budget_lost_share is
'The part of these searches on which it was not shown for want of budget; 0.9001 = more than 90%; NULL = the channel did not say, as '
'of a campaign that is not shown on searches.';
comment on column public.channel_budgets.recommended_budget is
'EUR per day that the channel itself recommends; NULL = it recommends nothing.';
