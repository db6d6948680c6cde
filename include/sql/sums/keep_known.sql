-- Grain: one (channel, account, day, metric) of the CTE `known`; the end of every statement that keeps sums.
-- Why: equal rows are left alone, and rows come in one order, so that two runs never deadlock.
insert into channel_totals (
    channel, account, date, metric,
    segments, in_segments, in_none, not_counted, left_out, reported, tolerance, level
)
select
    known.channel,
    known.account,
    known.date,
    known.metric,
    known.segments,
    known.in_segments,
    known.in_none,
    known.not_counted,
    known.left_out,
    known.reported,
    known.tolerance,
    known.level
from known
-- ON CONFLICT locks a row before it compares: what is unchanged is left out first.
left join channel_totals as stored
    on
        known.channel = stored.channel
        and known.account = stored.account
        and known.date = stored.date
        and known.metric = stored.metric
where
    stored.metric is null
    or (
        stored.segments, stored.in_segments, stored.in_none, stored.not_counted, stored.left_out, stored.reported,
        stored.tolerance, stored.level
    ) is distinct from (
        known.segments, known.in_segments, known.in_none, known.not_counted, known.left_out, known.reported,
        known.tolerance, known.level
    )
order by known.channel, known.account, known.date, known.metric
on conflict (channel, account, date, metric) do update
set
    segments = excluded.segments,
    in_segments = excluded.in_segments,
    in_none = excluded.in_none,
    not_counted = excluded.not_counted,
    left_out = excluded.left_out,
    reported = excluded.reported,
    tolerance = excluded.tolerance,
    level = excluded.level
