-- Grain: the one row of settings, as it is at this moment.
-- Why: read again right before each batch of changes; no row, or NULL in it, means that nothing may change.
select
    kill_switch,
    dry_run,
    total_daily_cap,
    max_daily_increase,
    approval_threshold,
    approval_deadline,
    currency,
    time_zone,
    approvers,
    monthly_budget is not null as has_monthly_budget,
    -- Only where there is such a limit is the month added up.
    case when monthly_budget is not null then (select month_pace.total_cap from month_pace) end as month_cap
from orchestration_settings
