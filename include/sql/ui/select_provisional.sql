-- Grain: a JSON list, one entry per channel and day of the last 14 whose figures the source may still change; n = segments.
-- Why: "can I trust the data": a figure that will still move is shown as such.
select
    coalesce(
        json_agg(
            json_build_object('channel', counted.channel, 'date', counted.date, 'n', counted.n) order by counted.channel, counted.date
        ),
        '[]'
    )::text as provisional
from (
    select
        metrics.channel,
        metrics.date,
        count(distinct metrics.segment_id) as n
    from channel_metrics as metrics
    where
        not metrics.is_final
        and metrics.date between %(day)s::date - 14 and %(day)s::date
    group by metrics.channel, metrics.date
) as counted
