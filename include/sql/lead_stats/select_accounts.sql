-- Grain: one account of one channel that any active segment uses.
-- Why: pulls are mapped by account, property or site, so their number does not grow with the segments.
select distinct
    sources.channel,
    sources.account
from channel_sources as sources
inner join lead_segments as segments on sources.segment_id = segments.id
where sources.is_active and segments.is_active
order by sources.channel, sources.account
