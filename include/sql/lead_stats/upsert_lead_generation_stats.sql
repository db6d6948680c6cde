-- Grain: one (segment, day) whose leads were read in the window.
-- Why: one row per segment per day with every channel; a channel with an account missing that day is NULL, never a partial sum.
with spans as materialized (
    select
        segment_id,
        channel,
        account,
        greatest(valid_from, %(first)s::date) as first,
        least(valid_to, %(last)s::date) as last
    from channel_sources
    where
        is_active
        and channel in ('google_ads', 'search_console', 'ga4')
        and coalesce(valid_from, '-infinity') <= %(last)s::date
        and coalesce(valid_to, 'infinity') >= %(first)s::date
),

moving as materialized (
    select distinct segment_id
    from spans
    where first > %(first)s::date or last < %(last)s::date
),

-- How many accounts have to be there: on every day alike, which is nearly always so, or day by day.
expected as (
    select
        segment_id,
        count(distinct account) filter (where channel = 'google_ads') as google_ads,
        count(distinct account) filter (where channel = 'search_console') as search_console,
        count(distinct account) filter (where channel = 'ga4') as ga4
    from spans
    where segment_id not in (select moving.segment_id from moving)
    group by segment_id
),

expected_daily as (
    select
        spans.segment_id,
        day::date as date,
        count(distinct spans.account) filter (where spans.channel = 'google_ads') as google_ads,
        count(distinct spans.account) filter (where spans.channel = 'search_console') as search_console,
        count(distinct spans.account) filter (where spans.channel = 'ga4') as ga4
    from spans
    inner join moving on spans.segment_id = moving.segment_id
    cross join lateral generate_series(spans.first, spans.last, interval '1 day') as day
    group by spans.segment_id, day::date
),

doubtful as materialized (
    select
        channel,
        account,
        date
    from (
        {% include 'lead_stats/select_doubtful_days.sql' %} -- noqa: PRS
    ) as doubtful_days
),

-- Each channel's rows are read once. A column that one channel alone fills needs no FILTER, and leads that were read are
-- never NULL. A row without figures was re-mapped, and is no account of the segment.
daily as (
    select
        segment_id,
        date,
        -- A row without a figure is of an account whose amounts or days do not compare: asked, and not known.
        count(spend) filter (where channel = 'google_ads') as google_ads,
        count(clicks) filter (where channel = 'search_console') as search_console,
        count(visits) filter (where channel = 'ga4') as ga4,
        max(leads_generated) as leads_generated,
        max(leads_accepted) as leads_accepted,
        max(leads_rejected) as leads_rejected,
        max(leads_pending) as leads_pending,
        sum(spend) as google_ads_spend,
        sum(clicks) filter (where channel = 'google_ads') as google_ads_clicks,
        sum(impressions) filter (where channel = 'google_ads') as google_ads_impressions,
        sum(clicks) filter (where channel = 'search_console') as seo_clicks,
        sum(visits) as seo_visits,
        sum(microsite_visits) as microsite_visits,
        sum(microsite_leads) as microsite_leads,
        max(capacity_partners) as capacity_partners,
        max(capacity_total_leads) as capacity_total_leads,
        max(capacity_absent_leads) as capacity_absent_leads,
        max(capacity_absent_week) as capacity_absent_week,
        max(capacity_absent_until) as capacity_absent_until
    from channel_metrics
    where
        date between %(first)s::date and %(last)s::date
        and channel in ('google_ads', 'search_console', 'ga4', 'leads', 'partner_capacity')
        and (
            not is_empty
            or not exists (
                select 1
                from doubtful
                where
                    doubtful.channel = channel_metrics.channel
                    and doubtful.account = channel_metrics.account
                    and doubtful.date = channel_metrics.date
            )
        )
    group by segment_id, date
),

known as (
    select
        daily.segment_id,
        daily.date,
        daily.leads_generated,
        daily.leads_accepted,
        daily.leads_rejected,
        daily.leads_pending,
        case
            when daily.google_ads >= coalesce(expected_daily.google_ads, expected.google_ads, 0) then daily.google_ads_spend
        end as google_ads_spend,
        case
            when daily.google_ads >= coalesce(expected_daily.google_ads, expected.google_ads, 0) then daily.google_ads_clicks
        end as google_ads_clicks,
        case
            when daily.google_ads >= coalesce(expected_daily.google_ads, expected.google_ads, 0) then daily.google_ads_impressions
        end as google_ads_impressions,
        case
            when daily.search_console >= coalesce(expected_daily.search_console, expected.search_console, 0) then daily.seo_clicks
        end as seo_clicks,
        case when daily.ga4 >= coalesce(expected_daily.ga4, expected.ga4, 0) then daily.seo_visits end as seo_visits,
        case when daily.ga4 >= coalesce(expected_daily.ga4, expected.ga4, 0) then daily.microsite_visits end as microsite_visits,
        case when daily.ga4 >= coalesce(expected_daily.ga4, expected.ga4, 0) then daily.microsite_leads end as microsite_leads,
        daily.capacity_partners,
        daily.capacity_total_leads,
        daily.capacity_absent_leads,
        daily.capacity_absent_week,
        daily.capacity_absent_until
    from daily
    -- FULL and COALESCE leave no nested loop to choose: of rows just written there are no statistics, and it expects one.
    full join expected on daily.segment_id = expected.segment_id
    full join expected_daily on daily.segment_id = expected_daily.segment_id and daily.date = expected_daily.date
    where coalesce(daily.leads_generated, -1) >= 0
)

insert into lead_generation_stats (
    segment_id, date,
    leads_generated, leads_accepted, leads_rejected, leads_pending,
    google_ads_spend, google_ads_clicks, google_ads_impressions,
    seo_clicks, seo_visits, microsite_visits, microsite_leads,
    capacity_partners, capacity_total_leads, capacity_absent_leads, capacity_absent_week, capacity_absent_until
)
select
    known.segment_id,
    known.date,
    known.leads_generated,
    known.leads_accepted,
    known.leads_rejected,
    known.leads_pending,
    known.google_ads_spend,
    known.google_ads_clicks,
    known.google_ads_impressions,
    known.seo_clicks,
    known.seo_visits,
    known.microsite_visits,
    known.microsite_leads,
    known.capacity_partners,
    known.capacity_total_leads,
    known.capacity_absent_leads,
    known.capacity_absent_week,
    known.capacity_absent_until
from known
-- ON CONFLICT locks a row before it compares: what is unchanged is left out first.
left join lead_generation_stats as stats
    on
        known.segment_id = stats.segment_id
        and known.date = stats.date
        and stats.date between %(first)s::date and %(last)s::date
where
    stats.segment_id is null
    or (
        stats.leads_generated, stats.leads_accepted, stats.leads_rejected, stats.leads_pending,
        stats.google_ads_spend, stats.google_ads_clicks, stats.google_ads_impressions,
        stats.seo_clicks, stats.seo_visits, stats.microsite_visits, stats.microsite_leads,
        stats.capacity_partners, stats.capacity_total_leads,
        stats.capacity_absent_leads, stats.capacity_absent_week, stats.capacity_absent_until
    ) is distinct from (
        known.leads_generated, known.leads_accepted, known.leads_rejected, known.leads_pending,
        known.google_ads_spend, known.google_ads_clicks, known.google_ads_impressions,
        known.seo_clicks, known.seo_visits, known.microsite_visits, known.microsite_leads,
        known.capacity_partners, known.capacity_total_leads,
        known.capacity_absent_leads, known.capacity_absent_week, known.capacity_absent_until
    )
order by known.segment_id, known.date
on conflict (segment_id, date) do update
set
    leads_generated = excluded.leads_generated,
    leads_accepted = excluded.leads_accepted,
    leads_rejected = excluded.leads_rejected,
    leads_pending = excluded.leads_pending,
    google_ads_spend = excluded.google_ads_spend,
    google_ads_clicks = excluded.google_ads_clicks,
    google_ads_impressions = excluded.google_ads_impressions,
    seo_clicks = excluded.seo_clicks,
    seo_visits = excluded.seo_visits,
    microsite_visits = excluded.microsite_visits,
    microsite_leads = excluded.microsite_leads,
    capacity_partners = excluded.capacity_partners,
    capacity_total_leads = excluded.capacity_total_leads,
    capacity_absent_leads = excluded.capacity_absent_leads,
    capacity_absent_week = excluded.capacity_absent_week,
    capacity_absent_until = excluded.capacity_absent_until
where
    (
        lead_generation_stats.leads_generated, lead_generation_stats.leads_accepted,
        lead_generation_stats.leads_rejected, lead_generation_stats.leads_pending,
        lead_generation_stats.google_ads_spend, lead_generation_stats.google_ads_clicks,
        lead_generation_stats.google_ads_impressions, lead_generation_stats.seo_clicks,
        lead_generation_stats.seo_visits, lead_generation_stats.microsite_visits,
        lead_generation_stats.microsite_leads, lead_generation_stats.capacity_partners,
        lead_generation_stats.capacity_total_leads, lead_generation_stats.capacity_absent_leads,
        lead_generation_stats.capacity_absent_week, lead_generation_stats.capacity_absent_until
    ) is distinct from (
        excluded.leads_generated, excluded.leads_accepted,
        excluded.leads_rejected, excluded.leads_pending,
        excluded.google_ads_spend, excluded.google_ads_clicks,
        excluded.google_ads_impressions, excluded.seo_clicks,
        excluded.seo_visits, excluded.microsite_visits,
        excluded.microsite_leads, excluded.capacity_partners,
        excluded.capacity_total_leads, excluded.capacity_absent_leads,
        excluded.capacity_absent_week, excluded.capacity_absent_until
    )
