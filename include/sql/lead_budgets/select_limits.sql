-- Grain: one segment's limits on the channel, and what the months of the segment and of its branch leave, in EUR per day.
-- Why: read apart from everything else, so that limits that cannot be read hold every segment and stop nothing else.
with month_limits as (
    {% include 'reading/month_limits.sql' %}
),

-- What is decided today and not in force yet: a later run of the day shares the room with the first.
decided as (
    select
        segments.country,
        segments.branch,
        sum(greatest(decisions.new_budget - decisions.old_budget, 0)) as increase
    from budget_decisions as decisions
    inner join lead_segments as segments on decisions.segment_id = segments.id
    where decisions.channel = %(channel)s and decisions.decision_date = lead_today() and not decisions.is_blocked
    group by segments.country, segments.branch
)

select
    limits.segment_id::text as segment_id,
    limits.min_daily_budget,
    limits.max_daily_budget,
    limits.max_increase_pct,
    limits.max_decrease_pct,
    limits.cooldown_days,
    limits.is_automated,
    limits.monthly_budget is not null as has_monthly_budget,
    own.month_cap,
    branches.monthly_budget is not null as has_branch_monthly_budget,
    of_branch.month_cap as branch_month_cap,
    -- Below 0: what has to go down.
    case
        when of_branch.month_cap <= of_branch.in_force then of_branch.month_cap - of_branch.in_force
        when of_branch.month_cap is not null
            then greatest(of_branch.month_cap - of_branch.in_force - coalesce(decided.increase, 0), 0)
    end as branch_month_room
from lead_segment_channels as limits
inner join lead_segments as segments on limits.segment_id = segments.id
left join lead_branch_channels as branches
    on segments.country = branches.country and segments.branch = branches.branch and limits.channel = branches.channel
left join month_limits as own on own.level = 'segment' and limits.segment_id = own.segment_id
left join month_limits as of_branch
    on of_branch.level = 'branch' and segments.country = of_branch.country and segments.branch = of_branch.branch
left join decided on segments.country = decided.country and segments.branch = decided.branch
where limits.channel = %(channel)s
order by segment_id
