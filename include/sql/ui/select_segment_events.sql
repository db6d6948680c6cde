-- Grain: a JSON list, one entry per event of one segment, newest first: a change or revert of a run (all budgets of the segment
-- together), a change that was decided and not claimed, a hold per day, an edit in the channel, a changed limit, a record made by hand.
-- Why: the story of a segment is who changed what, why, and what came of it; each kind has its own table.
with evaluations as (
    {%- set which %}
        evaluated.segment_id = %(segment)s::uuid
        and evaluated.channel = %(channel)s
        and evaluated.decision_date between %(day)s::date - %(days)s::integer and %(day)s::date
    {%- endset %}
    {% include 'reading/decisions.sql' %}
),

decided as (
    select
        evaluations.*,
        week.target,
        week.expected,
        week.low,
        week.high,
        outcome.told as outcome
    from evaluations
    cross join lateral (
        {% set decision = 'evaluations' %}{% include 'reading/week.sql' %}
    ) as week
    left join lateral (
        {% set decision = 'evaluations.id' %}{% include 'reading/outcome.sql' %}
    ) as outcome on evaluations.action <> 'hold'
),

log as (
    select
        claimed.*,
        reverts.closed_at as reverted_at,
        reverts.decided_by as reverted_by,
        (
            {% set made, budget, day, at = 'claimed', 'claimed.external_id', 'claimed.decision_date', 'claimed.created_at' -%}
            {% include 'reading/may_revert.sql' %}
        ) as may_revert
    from channel_orchestration_log as claimed
    left join lateral (
        {% set change = 'claimed.id' %}{% include 'reading/undone.sql' %}
    ) as reverts on true
    where
        claimed.segment_id = %(segment)s::uuid
        and claimed.decision_date between %(day)s::date - %(days)s::integer and %(day)s::date
),

changes as (
    select
        max(coalesce(log.closed_at, log.created_at)) as at,
        min(log.created_at) as created_at,
        log.decision_date as day,
        log.kind,
        sum(log.old_value) as old,
        sum(log.new_value) as new,
        log.status,
        min(log.error_code) as error_code,
        max(log.decided_by) as who,
        log.dag_run_id as run_id,
        case when count(*) = 1 then min(log.id::text) end as log_id,
        case when count(*) = 1 then min(log.reverts::text) end as reverts,
        count(*) as budgets,
        bool_and(log.reverted_at is not null) as is_reverted,
        max(log.reverted_at) as reverted_at,
        max(log.reverted_by) as reverted_by,
        count(*) = 1 and bool_and(log.may_revert) as may_revert,
        min(log.channel) as channel,
        min(log.action_type) as action_type
    from log
    group by log.kind, log.status, log.dag_run_id, log.decision_date, case when log.kind = 'manual' then log.id end
),

not_claimed as (
    select
        decided.*,
        plans.orchestration_status
    from decided
    left join lead_segment_plans as plans on decided.segment_id = plans.segment_id and decided.decision_date = plans.date
    where
        decided.action <> 'hold'
        and not exists (
            select from log
            where log.kind = 'plan' and log.decision_date = decided.decision_date and log.channel = decided.channel
        )
),

events as (
    select
        changes.at,
        json_build_object(
            'at', changes.at,
            'created_at', changes.created_at,
            'day', changes.day,
            'kind', changes.kind,
            'channel', changes.channel,
            'action', case when changes.kind = 'plan' then decided.action else changes.action_type end,
            'old', trim_scale(case when changes.kind = 'plan' and decided.action <> 'hold' then decided.old_budget else changes.old end),
            'new', trim_scale(case when changes.kind = 'plan' and decided.action <> 'hold' then decided.new_budget else changes.new end),
            'status', changes.status,
            'error_code', changes.error_code,
            'who', changes.who,
            'run_id', changes.run_id,
            'log_id', changes.log_id,
            'reverts', changes.reverts,
            'budgets', changes.budgets,
            'reverted_at', case when changes.is_reverted then changes.reverted_at end,
            'reverted_by', case when changes.is_reverted then changes.reverted_by end,
            'may_revert', changes.may_revert,
            'reasons', case when changes.kind = 'plan' then coalesce(decided.reasons, '{}') else '{}' end,
            'target', trim_scale(round(case when changes.kind = 'plan' then decided.target end, 4)),
            'expected', trim_scale(round(case when changes.kind = 'plan' then decided.expected end, 4)),
            'low', trim_scale(round(case when changes.kind = 'plan' then decided.low end, 4)),
            'high', trim_scale(round(case when changes.kind = 'plan' then decided.high end, 4)),
            'after', trim_scale(round(case when changes.kind = 'plan' then (decided.inputs ->> 'expected_after')::numeric end, 4)),
            'outcome', case when changes.kind = 'plan' then decided.outcome end,
            'r14', trim_scale(case when changes.kind = 'plan' then decided.realised_leads_14d end),
            'sentence', case when changes.kind = 'plan' then decided.sentence end
        ) as event
    from changes
    left join decided on changes.day = decided.decision_date
    union all
    select
        not_claimed.evaluated_at,
        json_build_object(
            'at', not_claimed.evaluated_at,
            'day', not_claimed.decision_date,
            'kind', 'plan',
            'channel', not_claimed.channel,
            'action', not_claimed.action,
            'old', trim_scale(not_claimed.old_budget),
            'new', trim_scale(not_claimed.new_budget),
            'status', case when not_claimed.is_dry_run then 'dry_run' else coalesce(not_claimed.orchestration_status, 'planned') end,
            'run_id', not_claimed.dag_run_id,
            'reasons', not_claimed.reasons,
            'target', trim_scale(round(not_claimed.target, 4)),
            'expected', trim_scale(round(not_claimed.expected, 4)),
            'low', trim_scale(round(not_claimed.low, 4)),
            'high', trim_scale(round(not_claimed.high, 4)),
            'after', trim_scale(round((not_claimed.inputs ->> 'expected_after')::numeric, 4)),
            'r14', trim_scale(not_claimed.realised_leads_14d),
            'sentence', not_claimed.sentence
        )
    from not_claimed
    union all
    select
        decided.evaluated_at,
        json_build_object(
            'at', decided.evaluated_at,
            'day', decided.decision_date,
            'kind', 'hold',
            'old', trim_scale(decided.old_budget),
            'new', trim_scale(decided.new_budget),
            'is_blocked', decided.is_blocked,
            'run_id', decided.dag_run_id,
            'reasons', decided.reasons,
            'target', trim_scale(round(decided.target, 4)),
            'expected', trim_scale(round(decided.expected, 4)),
            'sentence', decided.sentence
        )
    from decided
    where decided.action = 'hold'
    union all
    select
        edits.edited_at,
        json_build_object(
            'at', edits.edited_at,
            'day', (edits.edited_at at time zone 'Europe/Amsterdam')::date,
            'kind', 'edit',
            'channel', edits.channel,
            'old', trim_scale(edits.old_value),
            'new', trim_scale(edits.new_value),
            'who', edits.edited_by,
            'budget_id', edits.budget_id
        )
    from budget_edits as edits
    where
        edits.segment_id = %(segment)s::uuid
        and edits.edited_at >= (%(day)s::date - %(days)s::integer)::timestamp at time zone 'Europe/Amsterdam'
        and edits.edited_at < (%(day)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
    union all
    select
        found.changed_at,
        json_build_object(
            'at', found.changed_at,
            'day', (found.changed_at at time zone 'Europe/Amsterdam')::date,
            'kind', 'limit',
            'channel', found.channel,
            'table', found.table_name,
            'column', found.column_name,
            'plan_date', found.plan_date,
            'old', found.old_value,
            'new', found.new_value,
            'who', found.changed_by
        )
    from limit_changes as found
    where
        found.segment_id = %(segment)s::uuid
        and found.changed_at >= (%(day)s::date - %(days)s::integer)::timestamp at time zone 'Europe/Amsterdam'
        and found.changed_at < (%(day)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
)

select coalesce(json_agg(events.event order by events.at desc, events.event ->> 'kind'), '[]')::text as events
from events
