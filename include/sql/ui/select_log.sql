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
        'channel', entries.channel,
        'action', entries.action,
        'old', case when entries.kind = 'limit' then to_json(entries.was) else to_json(trim_scale(entries.old)) end,
        'new', case when entries.kind = 'limit' then to_json(entries.became) else to_json(trim_scale(entries.new)) end,
        'column', case when entries.kind = 'limit' then entries.subject end,
        'budget_id', case when entries.kind <> 'limit' then entries.subject end,
        'status', entries.status,
        'error_code', entries.error_code,
        'who', entries.who,
        'reasons', coalesce(entries.reasons, '{}'),
        'target', trim_scale(entries.target),
        'expected', trim_scale(entries.expected),
        'low', trim_scale(entries.low),
        'high', trim_scale(entries.high),
        'after', trim_scale(round(entries.after, 4)),
        'r7', trim_scale(entries.r7),
        'r14', trim_scale(entries.r14),
        'sentence', entries.sentence,
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
left join lateral (
    {% set change = 'entries.log_id::uuid' %}{% include 'reading/undone.sql' %}
) as reverts on true
order by entries.day desc, entries.at desc, entries.id desc
limit %(rows)s
