-- Grain: one external id of one account of one channel, and one span of days that meets the window or the day after it.
-- Why: tells a pull which campaign, page or host belonged to which segment on which day. What is inactive belongs to none on
-- purpose; an inactive segment keeps what is its own, so that an account always adds up.
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
    ) as sites,
    coalesce(sources.valid_from, date '0001-01-01')::text as valid_from,
    coalesce(sources.valid_to, date '9999-12-31')::text as valid_to,
    sources.is_active,
    segments.is_active as is_segment_active
from channel_sources as sources
inner join lead_segments as segments on sources.segment_id = segments.id
where
    sources.channel = %(channel)s
    and sources.account = %(account)s
    and coalesce(sources.valid_from, '-infinity') <= %(last)s::date + 1
    and coalesce(sources.valid_to, 'infinity') >= %(first)s::date
order by sources.external_id, sources.valid_from nulls first, sources.id
