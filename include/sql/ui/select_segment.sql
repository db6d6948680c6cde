-- Grain: one row about one segment, in JSON: its row of the bound day, the limits in force now, and what the latest evaluation says.
-- Why: the top of the segment's view: what it is, who bounds it and who changed a bound last, what would happen now.
with of_day as (
    select *
    from (
        {% include 'reading/segments_of_day.sql' %}
    ) as every_segment
    where every_segment.segment_id = %(segment)s::uuid
),

-- Of today or before: a segment that was switched off keeps its last word.
latest as (
    select decisions.*
    from budget_decisions as decisions
    where
        decisions.segment_id = %(segment)s::uuid
        and decisions.channel = %(channel)s
        and decisions.decision_date <= %(day)s::date
    order by decisions.decision_date desc, decisions.evaluated_at desc
    limit 1
),

changed as (
    select distinct on (found.column_name)
        found.column_name,
        found.changed_by,
        found.changed_at
    from limit_changes as found
    where
        found.segment_id = %(segment)s::uuid
        and found.table_name = 'lead_segment_channels'
        and found.channel = %(channel)s
    order by found.column_name, found.changed_at desc
),

campaigns as (
    select
        json_agg(
            json_build_object(
                'id', budgets.campaign_id,
                'name', budgets.campaign_name,
                'account', budgets.account,
                'budget_id', budgets.budget_id,
                'amount', trim_scale(budgets.amount),
                'shared', budgets.campaigns_on_budget,
                'limited', budgets.is_budget_limited,
                'learning', budgets.is_learning,
                'serving', budgets.is_serving,
                'not_serving', budgets.not_serving,
                'not_steerable', budgets.not_steerable
            )
            order by budgets.account, budgets.campaign_id
        ) as list
    from channel_sources as sources
    inner join channel_budgets as budgets
        on
            sources.channel = budgets.channel
            and sources.account = budgets.account
            and sources.external_id = budgets.campaign_id
    where
        sources.segment_id = %(segment)s::uuid
        and sources.channel = %(channel)s
        and sources.is_active
        and lead_today() between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
)

select
    (
        select day_row.entry
        from of_day as chosen
        cross join lateral (
            {% include 'reading/day_row.sql' %}
        ) as day_row
    )::text as today,
    (
        select
            json_build_object(
                'floor', trim_scale(limits.min_daily_budget),
                'cap', trim_scale(limits.max_daily_budget),
                'max_increase_pct', trim_scale(limits.max_increase_pct),
                'max_decrease_pct', trim_scale(limits.max_decrease_pct),
                'cooldown_days', limits.cooldown_days,
                'monthly_budget', trim_scale(limits.monthly_budget),
                'branch_monthly_budget', (
                    select trim_scale(of_branch.monthly_budget)
                    from lead_segments as segments
                    inner join lead_branch_channels as of_branch
                        on segments.country = of_branch.country and segments.branch = of_branch.branch
                    where segments.id = limits.segment_id and of_branch.channel = limits.channel
                ),
                'is_automated', limits.is_automated,
                'changed', coalesce(
                    (
                        select
                            json_object_agg(
                                case changed.column_name
                                    when 'min_daily_budget' then 'floor'
                                    when 'max_daily_budget' then 'cap'
                                    else changed.column_name
                                end,
                                json_build_object('changed_by', changed.changed_by, 'changed_at', changed.changed_at)
                            )
                        from changed
                    ),
                    '{}'
                ),
                'campaigns', coalesce((select campaigns.list from campaigns), '[]')
            )
        from lead_segment_channels as limits
        where limits.segment_id = %(segment)s::uuid and limits.channel = %(channel)s
    )::text as limits,
    (
        select
            json_build_object(
                'day', latest.decision_date,
                'would', latest.action,
                'reasons', latest.reasons,
                'sentence', latest.sentence,
                'old', trim_scale(latest.old_budget),
                'new', trim_scale(latest.new_budget),
                'evaluated_at', latest.evaluated_at
            )
        from latest
    )::text as now,
    (select segments.is_active from lead_segments as segments where segments.id = %(segment)s::uuid)::text as is_active
