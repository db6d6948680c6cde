-- Grain: one account of one channel that active segments use; leads and capacity come from the company's own database.
-- Why: the digest says how old each channel's numbers are.
select
    used.channel,
    used.account,
    newest.date_to as last_day,
    newest.fetched_at,
    coalesce(newest.date_to >= lead_today() - 1, false) as is_fresh
from (
    select distinct
        sources.channel,
        sources.account
    from channel_sources as sources
    inner join lead_segments as segments on sources.segment_id = segments.id and segments.is_active
    where sources.is_active and lead_today() between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
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
        and fetches.fetched_at >= (lead_today() - 7)::timestamp at time zone 'Europe/Amsterdam'
    order by fetches.date_to desc, fetches.fetched_at desc
    limit 1
) as newest on true
order by used.channel, used.account
