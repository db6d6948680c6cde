-- Grain: the one row of settings, as it is at this moment.
-- Why: read again right before each batch of changes; no row, or NULL in it, means that nothing may change.
select
    settings.kill_switch,
    settings.dry_run,
    settings.total_daily_cap,
    settings.max_daily_increase,
    settings.approval_threshold,
    settings.approval_deadline,
    settings.currency,
    settings.time_zone,
    settings.approvers,
    settings.monthly_budget is not null as has_monthly_budget,
    -- What budgets may come to, and how far they are below it. Only where there is such a limit is the month added up.
    case
        when settings.monthly_budget is not null
            then (select array[month_pace.total_cap, month_pace.total_cap - month_pace.in_force] from month_pace)
    end as month
from orchestration_settings as settings
