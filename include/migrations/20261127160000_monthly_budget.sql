-- The month's budget: a limit on what is spent and may still be spent until the month ends, and how far the month is.

set local lock_timeout = '5s';

-- Settings -------------------------------------------------------------------------------------------------------------

alter table public.orchestration_settings
add column monthly_budget numeric(14, 6),
add constraint orchestration_settings_monthly_budget_check check (monthly_budget >= 0 and monthly_budget < 'Infinity') not valid;

comment on column public.orchestration_settings.monthly_budget is
'EUR that all segments together may cost in a calendar month; NULL = no such limit. See the view month_pace.';

-- View (invoker: the policies of the reader apply) --------------------------------------------------------------------

create view public.month_pace
with (security_invoker = true) as
with month as (
    select
        date_trunc('month', public.lead_today()::timestamp)::date as first_day,
        public.lead_today() as today,
        (date_trunc('month', public.lead_today()::timestamp) + interval '1 month')::date - public.lead_today() as days_left
),

-- A budget that several segments use is counted once.
in_force as (
    select
        each_budget.segment_id,
        sum(each_budget.amount) as amount
    from (
        select distinct on (b.account, b.budget_id)
            s.segment_id,
            b.amount
        from public.channel_sources as s
        inner join public.lead_segments as g on s.segment_id = g.id and g.is_active
        inner join public.channel_budgets as b
            on s.channel = b.channel and s.account = b.account and s.external_id = b.campaign_id
        where
            s.channel = 'google_ads'
            and s.is_active
            and public.lead_today() between coalesce(s.valid_from, '-infinity') and coalesce(s.valid_to, 'infinity')
            and b.is_serving
        order by b.account, b.budget_id, s.segment_id
    ) as each_budget
    group by 1
),

-- From a week before the month on: what is known of a segment's spend, and since when it is asked for.
known as (
    select
        s.segment_id,
        min(s.date) as since,
        avg(s.google_ads_spend) filter (where s.date >= public.lead_today() - 7) as per_day,
        coalesce(
            sum(s.google_ads_spend) filter (where s.date >= date_trunc('month', public.lead_today()::timestamp)::date), 0
        ) as spent,
        count(*) filter (where s.date >= date_trunc('month', public.lead_today()::timestamp)::date) as days_read
    from public.lead_generation_stats as s
    where
        s.date >= date_trunc('month', public.lead_today()::timestamp)::date - 7
        and s.date < public.lead_today()
        and s.google_ads_spend is not null
    group by 1
),

-- A day whose spend is not known counts as the budget that was in force on it.
unread as (
    select
        k.segment_id,
        sum(
            coalesce(
                (
                    select p.actual_daily_budget_google_ads
                    from public.lead_segment_plans as p
                    where p.segment_id = k.segment_id and p.date = d.day::date
                ),
                f.amount
            )
        ) as spend
    from known as k
    cross join month
    cross join lateral generate_series(
        greatest(month.first_day, k.since)::timestamp, (month.today - 1)::timestamp, interval '1 day'
    ) as d (day)
    left join in_force as f on k.segment_id = f.segment_id
    -- Few segments lack a day: each of their days is looked up, and not joined to all that there are.
    where
        k.days_read < month.today - greatest(month.first_day, k.since)
        and (
            select s.google_ads_spend
            from public.lead_generation_stats as s
            where s.segment_id = k.segment_id and s.date = d.day::date
        ) is null
    group by 1
),

by_segment as (
    select
        k.segment_id,
        k.per_day,
        k.spent,
        coalesce(u.spend, 0) as assumed
    from known as k
    left join unread as u on k.segment_id = u.segment_id
),

so_far as (
    select
        coalesce(sum(spent), 0) as spent,
        coalesce(sum(assumed), 0) as assumed
    from by_segment
),

-- Google charges up to twice the budget on a day, and 30.4 budgets in a month whose budget stays.
may_spend as (
    select
        coalesce(sum(f.amount), 0) as in_force,
        coalesce(
            sum(
                least(
                    2 * f.amount * month.days_left,
                    greatest(f.amount * month.days_left, 30.4 * f.amount - coalesce(s.spent, 0) - coalesce(s.assumed, 0))
                )
            ),
            0
        ) as at_most
    from in_force as f
    cross join month
    left join by_segment as s on f.segment_id = s.segment_id
)

select
    month.first_day as month,
    month.days_left,
    settings.monthly_budget,
    so_far.spent,
    so_far.assumed,
    may_spend.in_force,
    so_far.spent + so_far.assumed + coalesce((select sum(per_day) from by_segment), 0) * month.days_left as projected,
    so_far.spent + so_far.assumed + may_spend.at_most as at_most,
    case
        when settings.monthly_budget is null then null
        -- A euro more on the budgets may cost 30.4 of them, or one for each day that is left; one less saves that much.
        when room.left_over >= 0 then may_spend.in_force + room.left_over / greatest(30.4, month.days_left)
        else greatest(may_spend.in_force + room.left_over / month.days_left, 0)
    end as total_cap
from public.orchestration_settings as settings
cross join month
cross join so_far
cross join may_spend
cross join lateral (
    select settings.monthly_budget - so_far.spent - so_far.assumed - may_spend.at_most as left_over
) as room;

comment on view public.month_pace is 'How far the calendar month is with Google Ads, in EUR, all segments together.';
comment on column public.month_pace.days_left is 'Days until the month ends, today included.';
comment on column public.month_pace.spent is 'What is known to be spent, up to yesterday.';
comment on column public.month_pace.assumed is 'For the days up to yesterday whose spend is not known: the budget that was in force.';
comment on column public.month_pace.in_force is 'The sum of the daily budgets in force.';
comment on column public.month_pace.projected is 'At the month''s end, at the pace of what is known of the last seven days.';
comment on column public.month_pace.at_most is 'At the month''s end, if Google charges all that the budgets in force allow.';
comment on column public.month_pace.total_cap is
'EUR per day that all budgets together may come to, so that the month''s budget is kept; NULL = no monthly budget.';

-- Privileges -----------------------------------------------------------------------------------------------------------

revoke all on public.month_pace from public, anon, authenticated, service_role;
grant select on public.month_pace to authenticated, service_role, lead_pipeline;
