-- Grain: one action (increase, decrease, hold) and week of decisions whose next 7 days are over.
-- Why: "how often were we right", from what each decision expected and what came. Dry runs count as holds: nothing was changed.
with decided as (
    select
        date_trunc('week', decision_date)::date as week,
        case when is_dry_run then 'hold' else action end as action,
        target_leads_per_day as target,
        realised_leads_7d as realised,
        -- At the budget that was in force afterwards; the plan keeps that expectation among its inputs.
        case
            when is_dry_run or action = 'hold' then expected_leads_per_day
            else coalesce((inputs ->> 'expected_after')::numeric, expected_leads_per_day)
        end as expected,
        (expected_high - expected_low) / 2 as half_width
    from budget_decisions
    where not is_blocked and realised_leads_7d is not null and target_leads_per_day is not null
        and expected_leads_per_day is not null
),

-- 80% of the time, chance moves the mean of 7 days' counts by no more than this (1.2816 standard deviations).
ranged as (
    select
        decided.*,
        sqrt(half_width ^ 2 + 1.2816 ^ 2 * expected / 7) as expected_range,
        0.1 * target + 1.2816 * sqrt(target / 7) as target_range
    from decided
)

select
    week,
    action,
    count(*) as decisions,
    -- Near 80 where the interval is honest.
    round(100 * avg((abs(realised - expected) <= expected_range)::int)) as as_expected_pct,
    -- An increase was right unless it brought too many leads, a decrease unless too few, a hold unless either.
    round(
        100 * avg((
            (action = 'decrease' or realised <= target + target_range)
            and (action = 'increase' or realised >= target - target_range)
        )::int)
    ) as right_pct,
    round(avg(realised - target), 2) as leads_over_target
from ranged
group by week, action
order by week desc, action
