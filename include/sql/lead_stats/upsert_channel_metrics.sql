-- Grain: one (segment, channel, account, day) as the source gave it.
-- Why: sources correct their past; equal rows are left alone. A day's first recorded budget stays: later ones follow today's change.
insert into channel_metrics (
    segment_id, channel, account, date,
    spend, daily_budget, conversions, impressions, clicks, visits, microsite_visits, microsite_leads, is_final
)
select
    pulled.segment_id,
    %(channel)s,
    %(account)s,
    pulled.date,
    pulled.spend_micros::numeric / 1000000,
    pulled.daily_budget_micros::numeric / 1000000,
    pulled.conversions_micros::numeric / 1000000,
    pulled.impressions,
    pulled.clicks,
    pulled.visits,
    pulled.microsite_visits,
    pulled.microsite_leads,
    pulled.is_final
from pulled_metrics as pulled
order by pulled.segment_id, pulled.date
on conflict (segment_id, channel, account, date) do update
set
    spend = excluded.spend,
    daily_budget = coalesce(channel_metrics.daily_budget, excluded.daily_budget),
    conversions = excluded.conversions,
    impressions = excluded.impressions,
    clicks = excluded.clicks,
    visits = excluded.visits,
    microsite_visits = excluded.microsite_visits,
    microsite_leads = excluded.microsite_leads,
    is_final = excluded.is_final
where
    (
        channel_metrics.spend, channel_metrics.daily_budget, channel_metrics.conversions,
        channel_metrics.impressions, channel_metrics.clicks, channel_metrics.visits,
        channel_metrics.microsite_visits, channel_metrics.microsite_leads, channel_metrics.is_final
    ) is distinct from (
        excluded.spend, coalesce(channel_metrics.daily_budget, excluded.daily_budget), excluded.conversions,
        excluded.impressions, excluded.clicks, excluded.visits,
        excluded.microsite_visits, excluded.microsite_leads, excluded.is_final
    )
