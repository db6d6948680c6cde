-- Grain: a JSON list, one entry per account, metric and day: the newest day that was read, and each of the last 30 that does not add up.
-- Why: segments + what belongs to none + what is not counted + what was left out = what the source reports, or the difference is shown.
select
    coalesce(
        json_agg(
            json_build_object(
                'channel', shown.channel,
                'account', shown.account,
                'date', shown.date,
                'metric', shown.metric,
                'segments', shown.segments,
                'reported', trim_scale(shown.reported),
                'in_segments', trim_scale(shown.in_segments),
                'in_none', trim_scale(shown.in_none),
                'not_counted', trim_scale(shown.not_counted),
                'left_out', trim_scale(shown.left_out),
                'difference', trim_scale(shown.difference),
                'tolerance', trim_scale(shown.tolerance),
                'level', shown.level,
                'is_off', shown.is_off
            )
            order by shown.is_off desc, shown.date desc, shown.channel, shown.account, shown.metric
        ),
        '[]'
    )::text as sums
from (
    select *
    from (
        select
            totals.*,
            coalesce(abs(totals.difference) > totals.tolerance, false) as is_off,
            row_number() over (
                partition by totals.channel, totals.account, totals.metric order by totals.in_segments is null, totals.date desc
            ) as place
        from channel_totals as totals
        where totals.date between %(day)s::date - 30 and %(day)s::date
    ) as every_day
    where every_day.is_off or every_day.place = 1
    order by every_day.is_off desc, every_day.date desc
    limit 100
) as shown
