-- Grain: one row, in JSON about the calendar month of a day, up to the day before.
-- Why: what was spent of the month's budget, and what the budgets in force on the day would add per day.
select
    json_build_object(
        'first', date_trunc('month', %(day)s::timestamp)::date,
        'spend', trim_scale(spent.amount),
        'up_to', spent.up_to,
        'budgets_today', (
            select trim_scale(sum(plans.actual_daily_budget_google_ads))
            from lead_segment_plans as plans
            where plans.date = %(day)s::date
        )
    )::text as month
from (
    select
        sum(google_ads_spend) as amount,
        max(date) filter (where google_ads_spend is not null) as up_to
    from lead_generation_stats
    where date >= date_trunc('month', %(day)s::timestamp)::date and date < %(day)s::date
) as spent
