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
        today.first_day,
        public.lead_today() as today,
        (today.first_day + interval '1 month')::date - public.lead_today() as days_left
    from (values (date_trunc('month', public.lead_today()::timestamp)::date)) as today (first_day)
),

-- A budget that several segments use is counted once.
in_force as (
    select
        each_budget.channel,
        each_budget.segment_id,
        sum(each_budget.amount) as amount
    from (
        select distinct on (s.channel, b.account, b.budget_id)
            s.channel,
            s.segment_id,
            b.amount
        from public.channel_sources as s
        inner join public.lead_segments as g on s.segment_id = g.id and g.is_active
        inner join public.channel_budgets as b
            on s.channel = b.channel and s.account = b.account and s.external_id = b.campaign_id
        where
            s.is_active
            and public.lead_today() between coalesce(s.valid_from, '-infinity') and coalesce(s.valid_to, 'infinity')
            and b.is_serving
        order by s.channel, b.account, b.budget_id, s.segment_id
    ) as each_budget
    group by 1, 2
),

of_day as (
    select
        m.channel,
        m.segment_id,
        m.date,
        sum(m.spend) as spend,
        bool_and(m.spend is not null) as is_known
    from public.channel_metrics as m
    cross join month
    where m.date between month.first_day and month.today - 1 and m.channel in (select b.channel from public.channel_budgets as b)
    group by 1, 2, 3
),

spent as (
    select
        channel,
        segment_id,
        sum(spend) as spend,
        sum(spend) filter (where date > (select today from month) - 8) as lately,
        min(date) as first_day
    from of_day
    group by 1, 2
),

-- A day whose spend is not known counts as its budget, from the first day that the segment was read on the channel.
unread as (
    select
        f.channel,
        f.segment_id,
        count(*) * f.amount as spend
    from in_force as f
    cross join month
    left join spent as s on f.channel = s.channel and f.segment_id = s.segment_id
    cross join lateral (
        select exists (
            select from public.channel_metrics as m
            where m.segment_id = f.segment_id and m.channel = f.channel and m.date < month.first_day
        ) as is_older
    ) as began
    cross join lateral generate_series(
        case when began.is_older then month.first_day else s.first_day end::timestamp,
        (month.today - 1)::timestamp,
        interval '1 day'
    ) as d (day)
    left join of_day as o on f.channel = o.channel and f.segment_id = o.segment_id and o.date = d.day::date
    where o.is_known is not true
    group by f.channel, f.segment_id, f.amount
),

-- Google charges up to twice the budget on a day, and 30.4 budgets in a month whose budget stays.
may_spend as (
    select
        coalesce(sum(f.amount), 0) as in_force,
        coalesce(
            sum(
                least(
                    2 * f.amount * month.days_left,
                    greatest(f.amount * month.days_left, 30.4 * f.amount - coalesce(s.spend, 0) - coalesce(u.spend, 0))
                )
            ),
            0
        ) as at_most
    from in_force as f
    cross join month
    left join spent as s on f.channel = s.channel and f.segment_id = s.segment_id
    left join unread as u on f.channel = u.channel and f.segment_id = u.segment_id
),

so_far as (
    select
        coalesce((select sum(spend) from spent), 0) as spent,
        coalesce((select sum(lately) from spent), 0) / greatest(least((select today - first_day from month), 7), 1) as per_day,
        coalesce((select sum(spend) from unread), 0) as assumed
)

select
    month.first_day as month,
    month.days_left,
    settings.monthly_budget,
    so_far.spent,
    so_far.assumed,
    may_spend.in_force,
    so_far.spent + so_far.assumed + so_far.per_day * month.days_left as projected,
    so_far.spent + so_far.assumed + may_spend.at_most as at_most,
    case
        when settings.monthly_budget is null then null
        when room.left_over >= 0
            then may_spend.in_force + room.left_over / least(2 * month.days_left, greatest(30.4, month.days_left))
        else greatest(may_spend.in_force + room.left_over / month.days_left, 0)
    end as total_cap
from public.orchestration_settings as settings
cross join month
cross join so_far
cross join may_spend
cross join lateral (
    select settings.monthly_budget - so_far.spent - so_far.assumed - may_spend.at_most as left_over
) as room;

comment on view public.month_pace is 'How far the calendar month is, in EUR: all segments and paid channels together.';
comment on column public.month_pace.days_left is 'Days until the month ends, today included.';
comment on column public.month_pace.spent is 'What is known to be spent, up to yesterday.';
comment on column public.month_pace.assumed is 'For the days up to yesterday whose spend is not known: their budget.';
comment on column public.month_pace.in_force is 'The sum of the daily budgets in force.';
comment on column public.month_pace.projected is 'At the month''s end, at the pace of the last seven days.';
comment on column public.month_pace.at_most is 'At the month''s end, if Google charges all that the budgets in force allow.';
comment on column public.month_pace.total_cap is
'EUR per day that all budgets together may come to, so that the month''s budget is kept; NULL = no monthly budget.';

-- Privileges -----------------------------------------------------------------------------------------------------------

revoke all on public.month_pace from public, anon, authenticated, service_role;
grant select on public.month_pace to authenticated, service_role, lead_pipeline;
