-- Grain: one account of which days were read before a change of channel_sources, and not again since.
-- Why: a scheduled run restates the last days; what was re-mapped for longer needs a run over its days, and this says which. A
-- change whose days were all read again is closed, and never looked at any more.
with open_changes as materialized (
    select
        channel,
        account,
        date_from,
        date_to,
        max(changed_at) as changed_at,
        min(external_id) as external_id,
        count(distinct external_id) as external_ids
    from channel_source_changes
    where restated_at is null
    group by channel, account, date_from, date_to
),

-- Materialized, and each account's by an index (OFFSET keeps the subquery one): the fetches of all others are not read.
reads as materialized (
    select
        changed.channel,
        changed.account,
        fetches.date_from,
        fetches.date_to,
        fetches.fetched_at
    from (
        select
            channel,
            account
        from open_changes
        union
        select
            'leads',
            'leads_db'
        from open_changes
    ) as changed
    cross join lateral (
        select
            each_fetch.date_from,
            each_fetch.date_to,
            each_fetch.fetched_at
        from channel_fetches as each_fetch
        where each_fetch.channel = changed.channel and each_fetch.account = changed.account
        order by each_fetch.fetched_at
        offset 0
    ) as fetches
),

ever_read as (
    select
        channel,
        account,
        min(date_from) as first,
        max(date_to) as last
    from reads
    group by channel, account
),

waiting as materialized (
    select
        changes.channel,
        changes.account,
        changes.date_from,
        changes.date_to,
        changes.external_id,
        changes.external_ids,
        day::date as date
    from open_changes as changes
    inner join ever_read on changes.channel = ever_read.channel and changes.account = ever_read.account
    cross join lateral generate_series(
        greatest(changes.date_from, ever_read.first), least(changes.date_to, ever_read.last), interval '1 day'
    ) as day
    {%- set reads, channel, account, day = 'reads', 'changes.channel', 'changes.account', 'day::date' %}
    where
        {%- set since = '<= changes.changed_at' %}
        {% include 'reading/fetched.sql' %}
        {%- set since = '> changes.changed_at' %}
        and not {% include 'reading/fetched.sql' %}
        -- An account without a source on that day is not read; then the leads of the day tell that it was restated.
        and (
            {% include 'reading/has_source.sql' %}
            {%- set channel, account = "'leads'", "'leads_db'" %}
            or not {% include 'reading/fetched.sql' %}
        )
),

closed as (
    update channel_source_changes as changes
    set restated_at = now()
    from open_changes
    where
        changes.restated_at is null
        and changes.channel = open_changes.channel
        and changes.account = open_changes.account
        and changes.date_from is not distinct from open_changes.date_from
        and changes.date_to is not distinct from open_changes.date_to
        and changes.changed_at <= open_changes.changed_at
        and not exists (
            select 1
            from waiting
            where
                waiting.channel = open_changes.channel
                and waiting.account = open_changes.account
                and waiting.date_from is not distinct from open_changes.date_from
                and waiting.date_to is not distinct from open_changes.date_to
        )
),

found as (
    select
        'sources_changed' as name,
        'warn' as level,
        null::uuid as segment_id,
        channel,
        null::date as date,
        account as subject,
        format(
            'Rows of channel_sources for %%s %%s were changed (%%s%%s). Its figures of %%s to %%s are still those of before, in the '
            'segments of before.',
            channel, account, min(external_id), case when max(external_ids) > 1 then ' and others' else '' end, min(date), max(date)
        ) as detail,
        replace(replace(%(advice)s::jsonb ->> 'sources_changed', '{first}', min(date)::text), '{last}', max(date)::text)
            as remediation,
        null::date as evidence_date,
        null::numeric as amount
    from waiting
    group by channel, account
),

checked (name, channel, account, first, last) as (
    values ('sources_changed', null::text, null::text, %(first)s::date, %(last)s::date)
),

{% include 'findings/record_found.sql' %}
