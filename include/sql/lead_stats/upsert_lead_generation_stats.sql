-- Grain: one (segment, day) whose leads were read in the window.
-- Why: one row a segment a day with every channel; a channel with an account missing that day is NULL, never a partial sum.
with expected as (
    select
        segment_id,
        channel,
        count(distinct account) as accounts
    from channel_sources
    where is_active
    group by segment_id, channel
),

summed as (
    select
        metrics.segment_id,
        metrics.channel,
        metrics.date,
        sum(metrics.spend) as spend,
        sum(metrics.clicks) as clicks,
        sum(metrics.impressions) as impressions,
        sum(metrics.visits) as visits,
        sum(metrics.microsite_visits) as microsite_visits,
        sum(metrics.microsite_leads) as microsite_leads
    from channel_metrics as metrics
    left join expected on metrics.segment_id = expected.segment_id and metrics.channel = expected.channel
    where
        metrics.date between %(first)s::date and %(last)s::date
        and metrics.channel in ('google_ads', 'search_console', 'ga4')
    group by metrics.segment_id, metrics.channel, metrics.date
    having count(*) >= coalesce(max(expected.accounts), 0)
)

insert into lead_generation_stats (
    segment_id, date,
    leads_generated, leads_accepted, leads_rejected, leads_pending,
    google_ads_spend, google_ads_clicks, google_ads_impressions,
    seo_clicks, seo_visits, microsite_visits, microsite_leads,
    capacity_partners, capacity_total_leads
)
select
    leads.segment_id,
    leads.date,
    leads.leads_generated,
    leads.leads_accepted,
    leads.leads_rejected,
    leads.leads_pending,
    google_ads.spend,
    google_ads.clicks,
    google_ads.impressions,
    search_console.clicks,
    ga4.visits,
    ga4.microsite_visits,
    ga4.microsite_leads,
    capacity.capacity_partners,
    capacity.capacity_total_leads
from channel_metrics as leads
left join summed as google_ads
    on leads.segment_id = google_ads.segment_id and leads.date = google_ads.date and google_ads.channel = 'google_ads'
left join summed as search_console
    on
        leads.segment_id = search_console.segment_id
        and leads.date = search_console.date
        and search_console.channel = 'search_console'
left join summed as ga4
    on leads.segment_id = ga4.segment_id and leads.date = ga4.date and ga4.channel = 'ga4'
left join channel_metrics as capacity
    on
        leads.segment_id = capacity.segment_id
        and leads.date = capacity.date
        and capacity.channel = 'partner_capacity'
        and capacity.date between %(first)s::date and %(last)s::date
where leads.channel = 'leads' and leads.date between %(first)s::date and %(last)s::date
order by leads.segment_id, leads.date
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
    capacity_total_leads = excluded.capacity_total_leads
where
    (
        lead_generation_stats.leads_generated, lead_generation_stats.leads_accepted,
        lead_generation_stats.leads_rejected, lead_generation_stats.leads_pending,
        lead_generation_stats.google_ads_spend, lead_generation_stats.google_ads_clicks,
        lead_generation_stats.google_ads_impressions, lead_generation_stats.seo_clicks,
        lead_generation_stats.seo_visits, lead_generation_stats.microsite_visits,
        lead_generation_stats.microsite_leads, lead_generation_stats.capacity_partners,
        lead_generation_stats.capacity_total_leads
    ) is distinct from (
        excluded.leads_generated, excluded.leads_accepted,
        excluded.leads_rejected, excluded.leads_pending,
        excluded.google_ads_spend, excluded.google_ads_clicks,
        excluded.google_ads_impressions, excluded.seo_clicks,
        excluded.seo_visits, excluded.microsite_visits,
        excluded.microsite_leads, excluded.capacity_partners,
        excluded.capacity_total_leads
    )
