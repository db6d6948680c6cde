-- noqa: disable=all
-- Grain: one entry of the page's log: a change or revert of one budget, a record made by hand, an edit in the channel, a changed limit, and,
-- if asked for by its kind, a hold. `page` set: of each kind no more than one page can show, after the bound key.
-- `whole` set: the file, which tells each limit by itself.
-- Why: what is listed, counted and written as CSV has to be the same. A page goes on after the key (day, at, id) of the last row.
{%- macro is_of_the_segment() -%}
(%(q)s::text is null or position(translate(lower(%(q)s), '_-', '  ') in translate(segments.code, '_-', '  ')) > 0)
{%- endmacro %}
{%- macro is_in_the_days(at) -%}
{{ at }} >= %(from)s::timestamp at time zone 'Europe/Amsterdam'
        and {{ at }} < (%(to)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
{%- endmacro %}
{#- What no run decided: it took effect when it was seen. -#}
{%- macro undecided(who, at) -%}
'success',
        null,
        null,
        {{ who }},
        {{ at }},
        null,
        null,
        null
{%- endmacro %}
{#- `by_index`: the day is that of the time, so that an index of the time alone bounds and orders the rows. -#}
{%- macro one_page(day, at, id, by_index=false) -%}
{%- if page | default(false) %}
        and (
            %(after_day)s::date is null
            or (
                {% if by_index %}{{ at }} < (%(after_day)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
                and {% endif %}({{ day }}, {{ at }}, {{ id }}) < (%(after_day)s::date, %(after_at)s::timestamptz, %(after_id)s::text)
            )
        )
    order by {% if not by_index %}{{ day }} desc, {% endif %}{{ at }} desc, {{ id }} desc
    limit %(rows)s
{%- endif %}
{%- endmacro %}
select * from (
    select
        log.decision_date as day,
        log.created_at as at,
        log.id::text as id,
        log.kind,
        segments.code as segment,
        log.channel,
        log.action_type as action,
        log.old_value as old,
        log.new_value as new,
        log.status,
        log.error_code,
        log.error_detail,
        log.decided_by as who,
        log.closed_at,
        log.dag_run_id as run_id,
        log.id::text as log_id,
        log.reverts::text as reverts,
        log.external_id as subject,
        null::text as was,
        null::text as became,
        log.decision_id,
        null::text as of_column
    from channel_orchestration_log as log
    inner join lead_segments as segments on log.segment_id = segments.id
    where
        log.decision_date between %(from)s::date and %(to)s::date
        and (%(kind)s::text is null or %(kind)s in (log.kind, 'approval', 'failed', 'increase', 'decrease'))
        and (%(kind)s::text is distinct from 'increase' or (log.kind = 'plan' and log.new_value > log.old_value))
        and (%(kind)s::text is distinct from 'decrease' or (log.kind = 'plan' and log.new_value < log.old_value))
        -- The same question each morning is told once, where it was asked last; `approval` lists each.
        and (
            %(kind)s::text is not null
            or log.error_code is distinct from 'approval_expired'
            -- A count and no NOT EXISTS, which would read every such question of all years.
            or (
                select count(*)
                from channel_orchestration_log as later
                where
                    later.segment_id = log.segment_id
                    and later.kind = 'plan'
                    and later.error_code = 'approval_expired'
                    and later.decision_date = log.decision_date + 1
                    and later.decision_date <= %(to)s::date
            ) = 0
        )
        and (
            %(kind)s::text is distinct from 'approval'
            or (log.kind = 'plan' and (log.decided_by is not null or log.error_code in ('approval_rejected', 'approval_expired', 'not_approved')))
        )
        and (%(kind)s::text is distinct from 'failed' or log.status = 'failed')
        and (%(status)s::text is null or log.status = %(status)s)
        and (%(who)s::text is null or coalesce(log.decided_by, 'planner') = %(who)s)
        and {{ is_of_the_segment() }}
        {{ one_page('log.decision_date', 'log.created_at', 'log.id::text') }}
) as changes
union all
select * from (
    select
        (edits.edited_at at time zone 'Europe/Amsterdam')::date,
        edits.edited_at,
        edits.budget_id || ' ' || edits.edited_at::text,
        'edit',
        segments.code,
        edits.channel,
        'edit',
        edits.old_value,
        edits.new_value,
        {{ undecided('edits.edited_by', 'edits.edited_at') }},
        edits.budget_id,
        null,
        null,
        null::uuid,
        null
    from budget_edits as edits
    left join lead_segments as segments on edits.segment_id = segments.id
    where
        {{ is_in_the_days('edits.edited_at') }}
        and (%(kind)s::text is null or %(kind)s = 'edit')
        and (%(status)s::text is null or %(status)s = 'success')
        and (%(who)s::text is null or edits.edited_by = %(who)s)
        and {{ is_of_the_segment() }}
        {{ one_page("(edits.edited_at at time zone 'Europe/Amsterdam')::date", 'edits.edited_at', "edits.budget_id || ' ' || edits.edited_at::text", by_index=true) }}
) as edited
union all
select * from (
    select
        (found.changed_at at time zone 'Europe/Amsterdam')::date,
        found.changed_at,
        'limit ' || found.id,
        'limit',
        segments.code,
        found.channel,
        'limit',
        null::numeric,
        null::numeric,
        {{ undecided('found.changed_by', 'found.changed_at') }},
        case
            when found.table_name = 'lead_segment_plans' then 'target ' || found.plan_date
            when found.branch is not null then found.column_name || ' ' || found.branch || ' (' || found.country || ')'
            else found.column_name
        end,
        found.old_value,
        found.new_value,
        null::uuid,
        found.column_name
    from limit_changes as found
    left join lead_segments as segments on found.segment_id = segments.id
    where
        {{ is_in_the_days('found.changed_at') }}
        and (%(kind)s::text is null or %(kind)s = 'limit')
        and (%(status)s::text is null or %(status)s = 'success')
        and (%(who)s::text is null or found.changed_by = %(who)s)
        and {{ is_of_the_segment() }}
        {%- if not whole | default(false) %}
        -- The same limit of many segments, set together, is told once, by the last of them; `limit`, or a segment, lists each.
        and (
            %(kind)s::text is not null
            or %(q)s::text is not null
            or not {% set of, after = 'found', true %}{% include 'reading/set_together.sql' %}
        )
        {%- endif %}
        {{ one_page("(found.changed_at at time zone 'Europe/Amsterdam')::date", 'found.changed_at', "'limit ' || found.id", by_index=true) }}
) as limited
union all
select * from (
    select
        held.decision_date,
        held.evaluated_at,
        held.id::text,
        'hold',
        segments.code,
        held.channel,
        held.action,
        held.old_budget,
        held.new_budget,
        null,
        null,
        null,
        null,
        held.evaluated_at,
        held.dag_run_id,
        null,
        null,
        null,
        null,
        null,
        held.id,
        null
    from budget_decisions as held
    inner join lead_segments as segments on held.segment_id = segments.id
    where
        %(kind)s::text = 'hold'
        and held.action = 'hold'
        and held.decision_date between %(from)s::date and %(to)s::date
        and %(status)s::text is null
        and (%(who)s::text is null or %(who)s = 'planner')
        and {{ is_of_the_segment() }}
        {{ one_page('held.decision_date', 'held.evaluated_at', 'held.id::text') }}
) as holds
