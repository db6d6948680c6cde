-- Grain: one action (increase, decrease, hold) and week of decisions whose next 7 days are over.
-- Why: "how often were we right", from what each decision expected and what came. A change that was never made (a dry run,
-- or one that was rejected, refused, stopped or not answered) counts as a hold: the budget stayed.
with decided as (
    select
        date_trunc('week', decisions.decision_date)::date as week,
        case when made.is_made then decisions.action else 'hold' end as action,
        -- Seven days are judged by what was expected of the week, not of the one weekday of the decision.
        coalesce((decisions.inputs ->> 'target_week')::numeric, decisions.target_leads_per_day) as target,
        decisions.realised_leads_7d as realised,
        -- At the budget that was in force afterwards; the plan keeps that expectation among its inputs.
        case
            when made.is_made
                then coalesce((decisions.inputs ->> 'expected_after')::numeric, decisions.expected_leads_per_day)
            else coalesce((decisions.inputs ->> 'expected_week')::numeric, decisions.expected_leads_per_day)
        end as expected,
        (decisions.expected_high - decisions.expected_low) / 2
        * coalesce((decisions.inputs ->> 'expected_week')::numeric / nullif(decisions.expected_leads_per_day, 0), 1)
            as half_width
    from budget_decisions as decisions
    left join lead_segment_plans as plans
        on decisions.segment_id = plans.segment_id and decisions.decision_date = plans.date
    cross join lateral (
        select
            decisions.action <> 'hold' and not decisions.is_dry_run
            and coalesce(plans.orchestration_status = 'applied', false) as is_made
    ) as made
    where
        not decisions.is_blocked
        and decisions.realised_leads_7d is not null
        and decisions.target_leads_per_day is not null
        and decisions.expected_leads_per_day is not null
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
