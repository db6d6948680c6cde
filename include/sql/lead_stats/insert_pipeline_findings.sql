-- Grain: one finding about the set-up or the day's data, in the same form for every check.
-- Why: what needs a person is a row that can be queried, with what to do; it never stops the other segments.
with day as (
    select %(last)s::date as date
),

found as (
    select
        'no_campaign' as name,
        'stop' as level,
        segments.id as segment_id,
        'google_ads' as channel,
        null::date as date,
        null::text as subject,
        format('Segment %%s has no active campaign in channel_sources; its budget is held.', segments.code) as detail,
        %(advice)s::jsonb ->> 'no_campaign' as remediation,
        null::date as evidence_date,
        null::numeric as amount
    from lead_segments as segments
    where
        segments.is_active
        and not exists (
            select 1
            from channel_sources as sources
            where
                sources.segment_id = segments.id
                and sources.channel = 'google_ads'
                and sources.is_active
                and lead_today() between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
        )
        and not exists (
            select 1
            from lead_segment_channels as limits
            where limits.segment_id = segments.id and limits.channel = 'google_ads' and not limits.is_automated
        )
        -- Another paid channel is steered for it.
        and not exists (
            select 1
            from lead_segment_channels as limits
            inner join channel_sources as sources
                on limits.segment_id = sources.segment_id and limits.channel = sources.channel
            where
                limits.segment_id = segments.id
                and limits.channel <> 'google_ads'
                and limits.is_automated
                and sources.is_active
                and lead_today() between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
        )
    union all
    select
        'capacity_leap',
        'stop',
        leapt.id,
        'partner_capacity',
        null,
        null,
        format(
            'The partners of %%s take %%s leads per day; usual is %%s. Its budget is held until that has stood for %%s days (now %%s).',
            leapt.code, leaps.capacity, leaps.usual, leaps.days, leaps.stood
        ),
        %(advice)s::jsonb ->> 'capacity_leap',
        day.date,
        leaps.capacity::numeric
    from ({% include 'lead_budgets/select_capacity_leaps.sql' %}) as leaps
    inner join lead_segments as leapt on leaps.is_leap and leaps.segment_id::uuid = leapt.id
    inner join day on day.date = lead_today() - 1
),

checked as (
    select
        looked_for.name,
        looked_for.channel,
        null::text as account,
        day.date as first,
        day.date as last
    from day
    cross join (
        values
        ('no_campaign', 'google_ads')
    ) as looked_for (name, channel)
    -- Capacity is only known as it is now: what holds now replaces what was found on any day before.
    union all
    select
        'capacity_leap',
        'partner_capacity',
        null,
        '-infinity'::date,
        day.date
    from day
    where day.date = lead_today() - 1
),

{% include 'findings/record_found.sql' %}
