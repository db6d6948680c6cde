-- Grain: a JSON list, one entry per account of a channel that active segments use, as it was at the end of the bound day.
-- Why: whether the data of a morning could be trusted; leads and capacity come from the company's own database.
select
    coalesce(
        json_agg(
            json_build_object(
                'channel', used.channel,
                'account', used.account,
                'last_day', newest.date_to,
                'fetched_at', newest.fetched_at,
                'is_fresh', coalesce(newest.date_to >= %(day)s::date - 1, false),
                'is_paid', exists (select from channel_budgets where channel_budgets.channel = used.channel)
            )
            order by used.channel, used.account
        ),
        '[]'
    )::text as freshness
from (
    select distinct
        sources.channel,
        sources.account
    from channel_sources as sources
    inner join lead_segments as segments on sources.segment_id = segments.id and segments.is_active
    where sources.is_active and %(day)s::date between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
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
        and fetches.fetched_at >= (%(day)s::date - 14)::timestamp at time zone 'Europe/Amsterdam'
        and fetches.fetched_at < (%(day)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
    order by fetches.date_to desc, fetches.fetched_at desc
    limit 1
) as newest on true
