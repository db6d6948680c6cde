-- Grain: one finding about the set-up or the day's data, in the same form for every check.
-- Why: what needs a person is a row that can be queried, with what to do; it never stops the other segments.
with day as (
    select %(last)s::date as date
),

found as (
    select
        'segment_without_campaign' as name,
        'stop' as level,
        segments.id as segment_id,
        'google_ads' as channel,
        null::date as date,
        null::text as subject,
        format('Segment %%s has no active campaign in channel_sources; its budget is held.', segments.code) as detail,
        'Add its campaign to channel_sources; if it needs no paid leads, give it a row with is_automated = false in lead_segment_channels.'
            as remediation,
        null::date as evidence_date
    from lead_segments as segments
    where
        segments.is_active
        and not exists (
            select 1
            from channel_sources as sources
            where sources.segment_id = segments.id and sources.channel = 'google_ads' and sources.is_active
        )
        and not exists (
            select 1
            from lead_segment_channels as limits
            where limits.segment_id = segments.id and limits.channel = 'google_ads' and not limits.is_automated
        )
    union all
    select
        'capacity_unknown',
        'stop',
        segments.id,
        'partner_capacity',
        day.date,
        null,
        format('Nobody knows how many leads the partners of %%s can take; its budget is held.', segments.code),
        'Fill in the daily capacity of every partner of the segment.',
        null
    from lead_segments as segments
    cross join day
    inner join lead_generation_stats as stats on segments.id = stats.segment_id and day.date = stats.date
    where segments.is_active and day.date = lead_today() - 1 and stats.capacity_total_leads is null
    union all
    select
        'leads_without_segment',
        'warn',
        null,
        'leads',
        day.date,
        null,
        format('%%s leads of %%s belong to no segment, or to two with equally long prefixes.', count(*), day.date),
        'Add their postal prefix or region to a segment in lead_segments; the next run attributes them.',
        null
    from day
    inner join ({% include 'sources/leads.sql' %}) as source
        on
            source.created_at >= day.date::timestamp at time zone 'Europe/Amsterdam'
            and source.created_at < (day.date + 1)::timestamp at time zone 'Europe/Amsterdam'
    where source.segment_id is null
    group by day.date
    union all
    select
        'leads_without_source',
        'warn',
        segments.id,
        'leads',
        day.date,
        null,
        format(
            '%%s of the last 7 days'' leads of %%s have no source channel; what Google Ads brought is unknown.',
            round(100.0 * sum((metrics.leads_by_source -> 'unknown' ->> 'generated')::int) / sum(metrics.leads_generated)) || ' %%',
            segments.code
        ),
        'Repair the tracking that fills leads.source_channel; above 10 %% of the planner''s window the budget is held.',
        null
    from lead_segments as segments
    cross join day
    inner join channel_metrics as metrics
        on
            segments.id = metrics.segment_id
            and metrics.channel = 'leads'
            and metrics.date between day.date - 6 and day.date
    where segments.is_active
    group by segments.id, segments.code, day.date
    having sum((metrics.leads_by_source -> 'unknown' ->> 'generated')::int) > 0.1 * sum(metrics.leads_generated)
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
        ('segment_without_campaign', 'google_ads'),
        ('capacity_unknown', 'partner_capacity'),
        ('leads_without_segment', 'leads'),
        ('leads_without_source', 'leads')
    ) as looked_for (name, channel)
),

{% include 'findings/record_found.sql' %}
