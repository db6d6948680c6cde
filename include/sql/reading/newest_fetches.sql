-- noqa: disable=all
-- Grain: one account of one channel that active segments use on the day `day`, leads and capacity from the company's own database among
-- them. `last_day` and `fetched_at` of the fetch that reached furthest, of those up to that day and at most `within` days before it; NULL =
-- none.
-- Why: how old a channel's numbers are is the same question in the digest, on the page and in a check.
select
    used.channel,
    used.account,
    newest.date_to as last_day,
    newest.fetched_at
from (
    select distinct
        sources.channel,
        sources.account
    from channel_sources as sources
    inner join lead_segments as segments on sources.segment_id = segments.id and segments.is_active
    where sources.is_active and {{ day }} between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
    union
    values ('leads', 'leads_db'), ('partner_capacity', 'leads_db')
) as used
left join lateral (
    select
        fetches.date_to,
        fetches.fetched_at
    from channel_fetches as fetches
    where
        fetches.channel = used.channel
        and fetches.account = used.account
        and fetches.fetched_at >= ({{ day }} - {{ within }})::timestamp at time zone 'Europe/Amsterdam'
        and fetches.fetched_at < ({{ day }} + 1)::timestamp at time zone 'Europe/Amsterdam'
    order by fetches.date_to desc, fetches.fetched_at desc
    limit 1
) as newest on true
