-- Grain: one row, in JSON about the calendar month of a day, up to the day before.
-- Why: what was spent of the month's budget and of those that branches have now, and what the budgets in force on the day would add
-- per day.
select
    json_build_object(
        'first', date_trunc('month', %(day)s::timestamp)::date,
        'spend', trim_scale(spent.amount),
        'up_to', spent.up_to,
        'budgets_today', (
            select trim_scale(sum(plans.actual_daily_budget_google_ads))
            from lead_segment_plans as plans
            where plans.date = %(day)s::date
        ),
        'branches', (
            select
                coalesce(
                    json_agg(
                        json_build_object(
                            'country', of_branch.country,
                            'branch', of_branch.branch,
                            'monthly_budget', trim_scale(of_branch.monthly_budget),
                            'spend', trim_scale(of_branch.spend)
                        )
                        order by of_branch.country, of_branch.branch
                    ),
                    '[]'
                )
            from (
                select
                    limits.country,
                    limits.branch,
                    limits.monthly_budget,
                    sum(stats.google_ads_spend) as spend
                from lead_branch_channels as limits
                inner join lead_segments as segments on limits.country = segments.country and limits.branch = segments.branch
                left join lead_generation_stats as stats
                    on
                        segments.id = stats.segment_id
                        and stats.date >= date_trunc('month', %(day)s::timestamp)::date
                        and stats.date < %(day)s::date
                where
                    limits.channel = %(channel)s
                    and limits.monthly_budget is not null
                    -- Nothing of the month is read where no branch has one.
                    and exists (select 1 from lead_branch_channels as given where given.monthly_budget is not null)
                group by limits.country, limits.branch, limits.monthly_budget
            ) as of_branch
        )
    )::text as month
from (
    select
        sum(google_ads_spend) as amount,
        max(date) filter (where google_ads_spend is not null) as up_to
    from lead_generation_stats
    where date >= date_trunc('month', %(day)s::timestamp)::date and date < %(day)s::date
) as spent
