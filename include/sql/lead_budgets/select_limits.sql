-- Grain: one segment's limits on the channel.
-- Why: read apart from everything else, so that limits that cannot be read hold every segment and stop nothing else.
select
    segment_id::text as segment_id,
    min_daily_budget,
    max_daily_budget,
    max_increase_pct,
    max_decrease_pct,
    cooldown_days,
    is_automated
from lead_segment_channels
where channel = %(channel)s
order by segment_id
