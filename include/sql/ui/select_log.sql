-- Grain: one entry of the log after the bound key, newest first, as JSON; `error_detail` apart, because it is somebody else's text.
-- Why: who changed what and what came of it, by pages that show each entry once.
select
    entries.day,
    entries.at,
    entries.id,
    json_build_object(
        'id', entries.id,
        'at', coalesce(entries.closed_at, entries.at),
        'created_at', entries.at,
        'day', entries.day,
        'kind', entries.kind,
        'segment', entries.segment,
        'branch', named.branch,
        'region', named.region,
        'channel', entries.channel,
        'action', coalesce(decisions.action, entries.action),
        'old', case when entries.kind = 'limit' then to_json(entries.was) else to_json(trim_scale(entries.old)) end,
        'new', case when entries.kind = 'limit' then to_json(entries.became) else to_json(trim_scale(entries.new)) end,
        'column', case when entries.kind = 'limit' then entries.subject end,
        'budget_id', case when entries.kind <> 'limit' then entries.subject end,
        -- Where the segment alone does not say which budget it is.
        'campaign', case when entries.kind <> 'limit' and (campaigns.n > 1 or budgets_of_segment.n > 1) then campaigns.names end,
        'status', entries.status,
        'error_code', entries.error_code,
        'who', entries.who,
        'reasons', coalesce(decisions.reasons, '{}'),
        'target', trim_scale(round(week.target, 4)),
        'expected', trim_scale(round(week.expected, 4)),
        'low', trim_scale(round(week.low, 4)),
        'high', trim_scale(round(week.high, 4)),
        'after', trim_scale(round((decisions.inputs ->> 'expected_after')::numeric, 4)),
        'outcome', outcome.told,
        'verdict', outcome.verdict,
        'r7', trim_scale(decisions.realised_leads_7d),
        'r14', trim_scale(decisions.realised_leads_14d),
        'sentence', decisions.sentence,
        'asked_days', case
            when entries.error_code = 'approval_expired'
                then 1 + {% set segment, day = 'named.id', 'entries.day' %}{% include 'reading/asked_days.sql' %}
        end,
        -- How many values of this limit were set with it, none of them more than a second before the next; of the last minute.
        'together', case
            when
                entries.kind = 'limit' and %(kind)s::text is null and %(q)s::text is null
                and {% set of, after = 'at_once', false %}{% include 'reading/set_together.sql' %}
                then (
                    select count(*)
                    from (
                        select count(*) filter (where spaced.gap > interval '1 second') over (order by spaced.changed_at desc) as breaks
                        from (
                            select
                                before.changed_at,
                                lag(before.changed_at) over (order by before.changed_at desc) - before.changed_at as gap
                            from limit_changes as before
                            where
                                before.changed_at between entries.at - interval '1 minute' and entries.at
                                and before.changed_by = entries.who
                                and before.column_name = entries.of_column
                                and before.segment_id is not null
                        ) as spaced
                    ) as runs
                    where runs.breaks = 0
                )
        end,
        'run_id', entries.run_id,
        'log_id', case
            when
                {% set made, budget, day, at = 'entries', 'entries.subject', 'entries.day', 'entries.at' -%}
                {% include 'reading/may_revert.sql' %}
                then entries.log_id
        end,
        'reverts', entries.reverts,
        'reverted_at', reverts.closed_at,
        'reverted_by', reverts.decided_by
    )::text as entry,
    entries.error_detail
from (
    {% set page = true %}{% include 'reading/log_entries.sql' %}
) as entries
left join lead_segments as named on entries.segment = named.code
left join lateral (
    select
        entries.at as changed_at,
        entries.who as changed_by,
        entries.of_column as column_name,
        named.id as segment_id
) as at_once on true
left join budget_decisions as decisions on entries.decision_id = decisions.id
left join lateral (
    {% set decision = 'decisions' %}{% include 'reading/week.sql' %}
) as week on true
left join lateral (
    {% set decision = 'entries.decision_id' %}{% include 'reading/outcome.sql' %}
) as outcome on entries.kind = 'plan'
left join lateral (
    {% set change = 'entries.log_id::uuid' %}{% include 'reading/undone.sql' %}
) as reverts on true
left join lateral (
    select
        count(*) as n,
        array_to_string((array_agg(budgets.campaign_name order by budgets.campaign_name))[1:3], ', ')
        || case when count(*) > 3 then ' + ' || count(*) - 3 else '' end as names
    from channel_budgets as budgets
    where budgets.channel = entries.channel and budgets.budget_id = entries.subject
) as campaigns on true
left join lateral (
    select count(distinct budgets.budget_id) as n
    from channel_sources as sources
    inner join channel_budgets as budgets
        on
            sources.channel = budgets.channel
            and sources.account = budgets.account
            and sources.external_id = budgets.campaign_id
    where sources.segment_id = named.id and sources.channel = entries.channel and sources.is_active
) as budgets_of_segment on true
order by entries.day desc, entries.at desc, entries.id desc
limit %(rows)s
