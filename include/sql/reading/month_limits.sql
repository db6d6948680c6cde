-- noqa: disable=all
-- Grain: one monthly budget on the bound channel, of a segment or of a branch, and the EUR per day that it leaves.
-- Why: the decision, the claim and the send keep to the same amounts. Only where there is such a limit is the month added up.
select
    level,
    segment_id,
    country,
    branch,
    monthly_budget,
    in_force,
    month_cap
from month_pace_levels
where
    level <> 'all'
    and channel = %(channel)s
    and monthly_budget is not null
    and (
        exists (select 1 from lead_segment_channels as limits where limits.monthly_budget is not null)
        or exists (select 1 from lead_branch_channels as limits where limits.monthly_budget is not null)
    )
