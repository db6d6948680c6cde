-- Grain: one finding about a channel as a whole: not read up to the latest whole day, or five times off its usual on a day of the week
-- up to it.
-- Why: what no single segment shows. Of what the planner reads, an unusual day is a stop; a person who finds it right sets that
-- row's level to info, and it stays so.
with day as (
    select %(last)s::date as date
    where %(last)s::date = lead_today() - 1
),

daily as (
    select
        metrics.channel,
        metrics.date,
        bool_and(metrics.is_final) as is_final,
        bool_and(metrics.is_empty) as is_silent,
        case metrics.channel
            when 'leads' then sum(metrics.leads_generated)
            when 'google_ads' then sum(metrics.spend)
            when 'search_console' then sum(metrics.clicks)
            when 'ga4' then sum(metrics.visits)
        end as amount
    from channel_metrics as metrics
    cross join day
    where
        metrics.date between day.date - 16 and day.date
        and metrics.channel in ('leads', 'google_ads', 'search_console', 'ga4')
    group by metrics.channel, metrics.date
),

-- Every day of the last week, so that one that was repaired since is closed. The planner reads leads and Google Ads of yesterday; a
-- source that reports late is judged by its final days.
judged as (
    select
        daily.channel,
        daily.date,
        daily.amount,
        daily.channel in ('leads', 'google_ads') as is_decision_input
    from daily
    cross join day
    where
        daily.date > day.date - 7
        and (daily.is_final or daily.date = day.date or daily.channel in ('leads', 'google_ads'))
        -- Whether a silent day may be believed is asked elsewhere.
        and not daily.is_silent
),

compared as (
    select
        judged.channel,
        judged.date,
        judged.amount,
        judged.is_decision_input,
        count(*) as days,
        percentile_cont(0.5) within group (order by daily.amount::double precision)::numeric as usual
    from judged
    inner join daily on judged.channel = daily.channel and daily.date between judged.date - 7 and judged.date - 1
    group by judged.channel, judged.date, judged.amount, judged.is_decision_input
),

newest as (
    {% set day, within = 'lead_today()', 7 %}{% include 'reading/newest_fetches.sql' %}
),

found as (
    select
        'channel_unusual' as name,
        case when compared.is_decision_input then 'stop' else 'warn' end as level,
        null::uuid as segment_id,
        compared.channel,
        compared.date,
        null::text as subject,
        format(
            '%%s gave %%s on %%s; its median of the week before is %%s.',
            compared.channel, round(compared.amount, 2), compared.date, round(compared.usual, 2)
        ) as detail,
        replace(
            %(advice)s::jsonb ->> 'channel_unusual',
            '{task}',
            -- Leads that were missing have no segment yet.
            case compared.channel when 'leads' then 'attribute_leads' else 'pull_' || compared.channel end
        ) as remediation,
        null::date as evidence_date,
        compared.amount
    from compared
    where
        compared.days = 7
        and compared.usual >= 20
        and (compared.amount > 5 * compared.usual or 5 * compared.amount < compared.usual)
    union all
    select
        'stale_channel',
        'warn',
        null,
        newest.channel,
        null,
        newest.account,
        format(
            '%%s %%s was fetched up to %%s only in the last week, not up to %%s.',
            newest.channel, newest.account, coalesce(newest.last_day::text, 'no day at all'), day.date
        ),
        %(advice)s::jsonb ->> 'stale_channel',
        null,
        null
    from newest
    cross join day
    where newest.last_day is null or newest.last_day < day.date
),

checked as (
    select
        looked_for.name,
        null::text as channel,
        null::text as account,
        day.date - 6 as first,
        day.date as last
    from day
    cross join (values ('channel_unusual'), ('stale_channel')) as looked_for (name)
),

{% include 'findings/record_found.sql' %}
