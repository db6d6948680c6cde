-- Grain: a JSON list, one entry per account with spend of the last 30 days that belongs to no segment, the largest first.
-- Why: money that is spent and counted nowhere.
select
    coalesce(
        json_agg(
            json_build_object(
                'channel', counted.channel,
                'account', counted.account,
                'spend', trim_scale(counted.spend),
                'days', counted.days,
                'last_day', counted.last_day
            )
            order by counted.spend desc, counted.channel, counted.account
        ),
        '[]'
    )::text as unmatched
from (
    select
        totals.channel,
        totals.account,
        sum(totals.in_none) as spend,
        count(*) as days,
        max(totals.date) as last_day
    from channel_totals as totals
    where
        totals.metric = 'spend'
        and totals.in_none > 0
        and totals.date between %(day)s::date - 30 and %(day)s::date
    group by totals.channel, totals.account
) as counted
