-- Grain: one segment and one monthly budget that binds it, its own or its branch's, with the EUR per day that it leaves and has taken.
-- Why: looked at again right before an increase is claimed or reverted: hours may lie between a decision and its approval.
with month_limits as (
    {% include 'reading/month_limits.sql' %}
),

-- On its way, and not in force yet.
pending as (
    select
        segments.id as segment_id,
        segments.country,
        segments.branch,
        sum(claimed.step) as step
    from (
        {% include 'reading/increases.sql' %}
    ) as claimed
    inner join lead_segments as segments on claimed.segment_id = segments.id
    where claimed.status = 'pending'
    group by segments.id
)

select
    segments.id as segment_id,
    segments.code as name,
    month_limits.month_cap,
    month_limits.in_force + coalesce(pending.step, 0) as taken
from month_limits
inner join lead_segments as segments on month_limits.segment_id = segments.id
left join pending on month_limits.segment_id = pending.segment_id
where month_limits.level = 'segment'
union all
select
    segments.id as segment_id,
    'all ' || segments.branch || ' in ' || segments.country as name,
    month_limits.month_cap,
    month_limits.in_force + coalesce(of_branch.step, 0) as taken
from month_limits
inner join lead_segments as segments on month_limits.country = segments.country and month_limits.branch = segments.branch
left join (
    select
        country,
        branch,
        sum(step) as step
    from pending
    group by country, branch
) as of_branch on month_limits.country = of_branch.country and month_limits.branch = of_branch.branch
where month_limits.level = 'branch'
order by segment_id, name
