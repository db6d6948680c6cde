-- Grain: one row, in JSON: what stops or bounds every change at this moment.
-- Why: "is it on, is it a dry run, what may it spend" stands above every view; a row that is missing is NULL, not off.
select
    (
        select
            json_build_object(
                'kill_switch', kill_switch,
                'dry_run', dry_run,
                'total_daily_cap', trim_scale(total_daily_cap),
                'max_daily_increase', trim_scale(max_daily_increase),
                'approval_threshold', trim_scale(approval_threshold),
                'approval_deadline', to_char(approval_deadline, 'HH24:MI:SS'),
                'currency', currency,
                'monthly_budget', trim_scale(monthly_budget)
            )
        from orchestration_settings
        order by id
        limit 1
    )::text as settings
