-- Grain: one external id of one account of one channel.
-- Why: tells a pull which campaign, page or host belongs to which segment; inactive segments keep their past and get nothing new.
select
    sources.external_id,
    sources.segment_id::text as segment_id,
    segments.code as segment,
    sources.account,
    -- A property of GA4 names no site: where its rows name none either, it is the one that Search Console reports on.
    array(
        select distinct sites.account
        from channel_sources as sites
        where sites.channel = 'search_console' and sites.is_active
        order by sites.account
    ) as sites
from channel_sources as sources
inner join lead_segments as segments on sources.segment_id = segments.id
where
    sources.channel = %(channel)s
    and sources.account = %(account)s
    and sources.is_active
    and segments.is_active
order by sources.external_id
