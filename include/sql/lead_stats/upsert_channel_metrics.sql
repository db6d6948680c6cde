-- Grain: one (segment, channel, account, day) as the source gave it.
-- Why: sources correct their past; equal rows are left alone. A day's first recorded budget stays: later ones follow today's
-- change. Without spend nothing of an account compares, its budget of that day neither.
with known as (
    select
        segment_id,
        date,
        spend_micros * 0.000001 as spend,
        daily_budget_micros * 0.000001 as daily_budget,
        conversions_micros * 0.000001 as conversions,
        impressions,
        clicks,
        visits,
        microsite_visits,
        microsite_leads,
        is_final,
        is_empty
    from pulled_metrics
)

insert into channel_metrics (
    segment_id, channel, account, date,
    spend, daily_budget, conversions, impressions, clicks, visits, microsite_visits, microsite_leads, is_final,
    is_empty
)
select
    known.segment_id,
    %(channel)s,
    %(account)s,
    known.date,
    known.spend,
    known.daily_budget,
    known.conversions,
    known.impressions,
    known.clicks,
    known.visits,
    known.microsite_visits,
    known.microsite_leads,
    known.is_final,
    known.is_empty
from known
-- ON CONFLICT locks a row before it compares: what is unchanged is left out first.
left join channel_metrics as stored
    on
        known.segment_id = stored.segment_id
        and known.date = stored.date
        and stored.channel = %(channel)s
        and stored.account = %(account)s
        and stored.date between %(first)s::date and %(last)s::date
where
    stored.segment_id is null
    or (
        stored.spend, stored.daily_budget, stored.conversions, stored.impressions, stored.clicks,
        stored.visits, stored.microsite_visits, stored.microsite_leads, stored.is_final,
        stored.is_empty
    ) is distinct from (
        known.spend, case when known.spend is not null then coalesce(stored.daily_budget, known.daily_budget) end,
        known.conversions, known.impressions, known.clicks,
        known.visits, known.microsite_visits, known.microsite_leads, known.is_final,
        known.is_empty
    )
order by known.segment_id, known.date
on conflict (segment_id, channel, account, date) do update
set
    spend = excluded.spend,
    daily_budget = case
        when excluded.spend is not null then coalesce(channel_metrics.daily_budget, excluded.daily_budget)
    end,
    conversions = excluded.conversions,
    impressions = excluded.impressions,
    clicks = excluded.clicks,
    visits = excluded.visits,
    microsite_visits = excluded.microsite_visits,
    microsite_leads = excluded.microsite_leads,
    is_final = excluded.is_final,
    is_empty = excluded.is_empty
where
    (
        channel_metrics.spend, channel_metrics.daily_budget, channel_metrics.conversions,
        channel_metrics.impressions, channel_metrics.clicks, channel_metrics.visits,
        channel_metrics.microsite_visits, channel_metrics.microsite_leads, channel_metrics.is_final,
        channel_metrics.is_empty
    ) is distinct from (
        excluded.spend,
        case when excluded.spend is not null then coalesce(channel_metrics.daily_budget, excluded.daily_budget) end,
        excluded.conversions,
        excluded.impressions, excluded.clicks, excluded.visits,
        excluded.microsite_visits, excluded.microsite_leads, excluded.is_final,
        excluded.is_empty
    )
