-- Grain: one account of one channel with a source on any of the days, or on the day after them.
-- Why: pulls are mapped by account, property or site, so their number does not grow with the segments. The day after the last is
-- the day that is decided: what belongs to a segment from today on must have been read this morning too.
select distinct
    sources.channel,
    sources.account
from channel_sources as sources
inner join lead_segments as segments on sources.segment_id = segments.id
where
    sources.is_active
    and segments.is_active
    and coalesce(sources.valid_from, '-infinity') <= %(last)s::date + 1
    and coalesce(sources.valid_to, 'infinity') >= %(first)s::date
order by sources.channel, sources.account
