-- noqa: disable=all
-- Grain: the JSON object `entry` of one segment on the bound day; `chosen` is its row of reading/segments_of_day.sql.
-- Why: a row of the lists and the top of a segment's view say the same. Limits are those that the decision was made within; before there
-- is one, those of now.
select
    json_build_object(
        'code', chosen.code,
        'branch', chosen.branch,
        'region', chosen.region,
        'action', decisions.action,
        'outcome', chosen.outcome,
        'is_blocked', coalesce(decisions.is_blocked, false),
        'is_dry_run', coalesce(decisions.is_dry_run, false),
        'reasons', coalesce(decisions.reasons, '{}'),
        'sentence', decisions.sentence,
        'old', trim_scale(decisions.old_budget),
        'new', trim_scale(decisions.new_budget),
        'part', chosen.part,
        'cause', chosen.cause,
        'finding', chosen.finding,
        'target', trim_scale(round(week.target, 4)),
        'expected', trim_scale(round(week.expected, 4)),
        'low', trim_scale(round(week.low, 4)),
        'high', trim_scale(round(week.high, 4)),
        'of_day', json_build_object(
            'target', trim_scale(decisions.target_leads_per_day),
            'expected', trim_scale(decisions.expected_leads_per_day),
            'low', trim_scale(decisions.expected_low),
            'high', trim_scale(decisions.expected_high)
        ),
        'asked_days', case
            when chosen.outcome in ('waiting', 'expired')
                then 1 + {% set segment, day = 'chosen.segment_id', '%(day)s::date' %}{% include 'reading/asked_days.sql' %}
        end,
        'wanted', trim_scale(round(planned.wanted, 6)),
        'stake', trim_scale(
            round(
                {% set target, wanted, old = 'week.target', 'planned.wanted', 'decisions.old_budget' %}
                {%- set floor, cap = 'planned.floor', 'planned.cap' %}
                {%- include 'reading/at_stake.sql' %},
                6
            )
        ),
        'after', trim_scale(round((decisions.inputs ->> 'expected_after')::numeric, 4)),
        'changed_by', decisions.inputs ->> 'budget_changed_by',
        'changed_at', (decisions.inputs ->> 'budget_changed_at')::timestamptz,
        'yesterday', stats.leads_generated,
        'gap_yesterday', before.lead_gap,
        'target_source', plans.target_source,
        'floor', trim_scale(planned.floor),
        'cap', trim_scale(planned.cap),
        'cooldown_days', coalesce((decisions.inputs ->> 'cooldown_days')::numeric::integer, limits.cooldown_days),
        'max_increase_pct', trim_scale(coalesce((decisions.inputs ->> 'max_increase_pct')::numeric, limits.max_increase_pct)),
        'max_decrease_pct', trim_scale(coalesce((decisions.inputs ->> 'max_decrease_pct')::numeric, limits.max_decrease_pct)),
        'is_automated', coalesce((decisions.inputs ->> 'is_automated')::boolean, limits.is_automated),
        'last_change', (
            select log.decision_date
            from channel_orchestration_log as log
            where
                log.segment_id = chosen.segment_id
                and log.channel = %(channel)s
                and log.status = 'success'
                and log.kind <> 'manual'
                and log.decision_date <= %(day)s::date
            order by log.decision_date desc
            limit 1
        ),
        'run_id', decisions.dag_run_id,
        'asking_run_id', case
            when chosen.outcome = 'waiting'
                then (
                    select questions.dag_run_id
                    from approval_questions as questions
                    where
                        questions.question_date = %(day)s::date
                        and questions.channel = %(channel)s
                        and questions.recorded_at is null
                        and questions.asked @> jsonb_build_array(jsonb_build_object('segment', chosen.code))
                    order by questions.asked_at desc
                    limit 1
                )
        end,
        'evaluated_at', decisions.evaluated_at,
        'error_code', chosen.error_code,
        'decided_by', chosen.decided_by,
        'reverted_at', case when chosen.outcome = 'reverted' then chosen.reverted_at end,
        'reverted_by', case when chosen.outcome = 'reverted' then nullif(chosen.reverted_by, '') end,
        'log_id', chosen.log_id
    ) as entry
from (select 1) as one
left join budget_decisions as decisions on chosen.decision_id = decisions.id
left join lateral (
    {% set decision = 'decisions' %}{% include 'reading/week.sql' %}
) as week on true
left join lead_segment_plans as plans on chosen.segment_id = plans.segment_id and plans.date = %(day)s::date
left join lead_segment_plans as before on chosen.segment_id = before.segment_id and before.date = %(day)s::date - 1
left join lead_generation_stats as stats on chosen.segment_id = stats.segment_id and stats.date = %(day)s::date - 1
left join lead_segment_channels as limits on chosen.segment_id = limits.segment_id and limits.channel = %(channel)s
left join lateral (
    select
        (decisions.inputs ->> 'wanted_budget')::numeric as wanted,
        coalesce((decisions.inputs ->> 'min_daily_budget')::numeric, limits.min_daily_budget) as floor,
        coalesce((decisions.inputs ->> 'max_daily_budget')::numeric, limits.max_daily_budget) as cap
) as planned on true
