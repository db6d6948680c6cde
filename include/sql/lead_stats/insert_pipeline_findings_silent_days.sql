-- Grain: one day of one account that gave no row, although something else says that it was not silent.
-- Why: the day stays unknown, and a person can state it; what to insert is said here.
with found as (
    select
        'silent_day_doubtful' as name,
        case when channel in ('search_console', 'ga4') then 'info' else 'stop' end as level,
        null::uuid as segment_id,
        channel,
        date,
        account as subject,
        format(
            '%%s %%s gave no row at all for %%s, although %%s. The day is unknown, and not 0.',
            channel, account, date,
            case
                when amount > 0.1 * coalesce(usual, 0)
                    then format(
                        '%%s %%s are counted for its segments that day (usual: %%s)',
                        amount,
                        case channel when 'search_console' then 'visits' when 'ga4' then 'clicks' else 'leads from ' || channel end,
                        coalesce(usual::text, 'not known')
                    )
                else 'the channel''s other accounts had nothing that day either, and usually have'
            end
        ) as detail,
        replace(
            replace(
                replace(
                    replace(%(advice)s::jsonb ->> 'silent_day_doubtful', '{channel}', channel),
                    '{account}',
                    replace(account, '''', '''''')
                ),
                '{first}',
                date::text
            ),
            '{last}',
            date::text
        ) as remediation,
        null::date as evidence_date,
        case when amount > 0.1 * coalesce(usual, 0) then amount end as amount
    from (
        {% include 'lead_stats/select_doubtful_days.sql' %} -- noqa: PRS
    ) as doubtful_days
),

checked (name, channel, account, first, last) as (
    values ('silent_day_doubtful', null::text, null::text, %(first)s::date, %(last)s::date)
),

{% include 'findings/record_found.sql' %}
