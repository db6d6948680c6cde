-- Grain: one day within a month of the window on which something is known of the account.
-- Why: whether a day on which it said nothing may be a zero: a person stated it, or it had figures around that day, and none then.
select
    day::date::text as date,
    exists (
        select 1
        from channel_zero_days as stated
        where
            stated.channel = %(channel)s
            and stated.account = %(account)s
            and stated.date = day::date
            and stated.is_zero
    ) as is_stated,
    exists (
        select 1
        from channel_metrics as metrics
        where
            metrics.channel = %(channel)s
            and metrics.account = %(account)s
            and metrics.date = day::date
            and (metrics.spend > 0 or metrics.impressions > 0 or metrics.clicks > 0 or metrics.visits > 0 or metrics.microsite_visits > 0)
    ) as is_alive
from generate_series(%(first)s::date - 31, %(last)s::date + 31, interval '1 day') as day
order by 1
