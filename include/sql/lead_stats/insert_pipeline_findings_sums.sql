-- Grain: one finding per (channel, account, day, metric) whose sum differs beyond its tolerance.
-- Why: nothing is counted twice or dropped in silence: what differs is named with its amount, and holds what is decided on it.
with summed as materialized (
    select
        metrics.segment_id,
        metrics.date,
        sum(metrics.leads_generated) as leads,
        sum(metrics.spend) filter (where metrics.channel = 'google_ads') as spend,
        sum(metrics.clicks) filter (where metrics.channel = 'google_ads') as clicks,
        sum(metrics.clicks) filter (where metrics.channel = 'search_console') as seo_clicks,
        sum(metrics.visits) as seo_visits,
        sum(metrics.microsite_visits) as microsite_visits,
        sum(metrics.capacity_total_leads) as capacity
    from channel_metrics as metrics
    where
        metrics.date between %(first)s::date and %(last)s::date
        and metrics.channel in ('google_ads', 'search_console', 'ga4', 'leads', 'partner_capacity')
    group by metrics.segment_id, metrics.date
),

stated as materialized (
    select
        segment_id,
        date,
        leads_generated,
        google_ads_spend,
        google_ads_clicks,
        seo_clicks,
        seo_visits,
        microsite_visits,
        capacity_total_leads
    from lead_generation_stats
    where date between %(first)s::date and %(last)s::date
),

-- FULL leaves no nested loop to choose: of rows just written there are no statistics. A figure that the statistics leave
-- NULL on purpose, because one of its accounts was not read, is compared with nothing.
daily as (
    select
        summed.date,
        sum(summed.leads) as leads,
        sum(stated.leads_generated) as stated_leads,
        sum(summed.spend) filter (where stated.date is null or stated.google_ads_spend is not null) as spend,
        sum(stated.google_ads_spend) as stated_spend,
        sum(summed.clicks) filter (where stated.date is null or stated.google_ads_clicks is not null) as clicks,
        sum(stated.google_ads_clicks) as stated_clicks,
        sum(summed.seo_clicks) filter (where stated.date is null or stated.seo_clicks is not null) as seo_clicks,
        sum(stated.seo_clicks) as stated_seo_clicks,
        sum(summed.seo_visits) filter (where stated.date is null or stated.seo_visits is not null) as seo_visits,
        sum(stated.seo_visits) as stated_seo_visits,
        sum(summed.microsite_visits) filter (
            where stated.date is null or stated.microsite_visits is not null
        ) as microsite_visits,
        sum(stated.microsite_visits) as stated_microsite_visits,
        sum(summed.capacity) as capacity,
        sum(stated.capacity_total_leads) as stated_capacity
    from summed
    full join stated on summed.segment_id = stated.segment_id and summed.date = stated.date
    where coalesce(summed.leads, -1) >= 0
    group by summed.date
),

disagreeing as (
    select
        figure.channel,
        figure.metric,
        figure.level,
        daily.date,
        coalesce(figure.amount, 0) as amount,
        coalesce(figure.stated, 0) as stated
    from daily
    cross join lateral (
        values
        ('leads', 'leads', 'stop', daily.leads, daily.stated_leads),
        ('google_ads', 'spend', 'stop', daily.spend, daily.stated_spend),
        ('google_ads', 'clicks', 'warn', daily.clicks, daily.stated_clicks),
        ('search_console', 'clicks', 'warn', daily.seo_clicks, daily.stated_seo_clicks),
        ('ga4', 'visits', 'warn', daily.seo_visits, daily.stated_seo_visits),
        ('ga4', 'microsite_visits', 'warn', daily.microsite_visits, daily.stated_microsite_visits),
        ('partner_capacity', 'capacity', 'stop', daily.capacity, daily.stated_capacity)
    ) as figure (channel, metric, level, amount, stated)
    where coalesce(figure.amount, 0) <> coalesce(figure.stated, 0)
),

found as (
    select
        'sums_differ' as name,
        totals.level,
        null::uuid as segment_id,
        totals.channel,
        totals.date,
        totals.account || '/' || totals.metric as subject,
        format(
            '%%s %%s on %%s does not add up: %%s of segments %%s + of no segment %%s + not counted %%s + left out %%s, '
            'but %%s says %%s. %%s %%s (tolerance %%s).',
            totals.channel,
            totals.account,
            totals.date,
            totals.metric,
            trim_scale(totals.in_segments),
            trim_scale(totals.in_none),
            trim_scale(totals.not_counted),
            trim_scale(totals.left_out),
            case when totals.account = 'leads_db' then 'the adapter' else 'the account as a whole' end,
            trim_scale(totals.reported),
            trim_scale(abs(totals.difference)),
            case when totals.difference > 0 then 'are counted too much' else 'are counted nowhere' end,
            trim_scale(totals.tolerance)
        ) || case when totals.level = 'stop' then ' What is decided on it is held.' else '' end as detail,
        %(advice)s::jsonb ->> 'sums_differ' as remediation,
        null::date as evidence_date,
        totals.difference as amount
    from channel_totals as totals
    where
        totals.date between %(first)s::date and %(last)s::date
        and abs(totals.difference) > totals.tolerance
    union all
    select
        'sums_differ',
        disagreeing.level,
        null,
        disagreeing.channel,
        disagreeing.date,
        'lead_generation_stats/' || disagreeing.metric,
        format(
            'lead_generation_stats says %%s %%s of %%s on %%s, channel_metrics %%s; a row may have been changed by hand.',
            trim_scale(disagreeing.stated), disagreeing.metric, disagreeing.channel, disagreeing.date,
            trim_scale(disagreeing.amount)
        ),
        %(advice)s::jsonb ->> 'sums_differ',
        null,
        disagreeing.stated - disagreeing.amount
    from disagreeing
),

-- The account is part of the subject, so every finding of this name in the window was looked for.
checked as (
    select
        'sums_differ' as name,
        null::text as channel,
        null::text as account,
        %(first)s::date as first,
        %(last)s::date as last
),

{% include 'findings/record_found.sql' %}
