-- noqa: disable=all
-- Grain: one post of the window, and of the ten minutes before it. The beginning of a statement: gives `posted`, `meant` (what
-- each pair of status and source channel means; status NULL = not known) and `counted`: the posts that are a lead, once each.
-- Why: what is no lead, and what was posted twice, is left out in one place; each word is read once, not once per lead.
posted as materialized (
    select
        source.lead_id,
        source.created_at,
        source.segment_id,
        source.contact,
        {%- if with_places %}
        coalesce(source.country, '') as country,
        coalesce(source.branch, '') as branch,
        coalesce(source.region, '') as region,
        source.postal_code,
        {%- endif %}
        coalesce(source.status, '') as status,
        coalesce(source.source_channel, '') as source_channel
    from ({% include 'sources/leads.sql' %}) as source
    where
        source.created_at >= %(first)s::date::timestamp at time zone 'Europe/Amsterdam' - interval '10 minutes'
        and source.created_at < (%(last)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
),

meant as materialized (
    select
        words.status as written_status,
        words.source_channel as written_source,
        statuses.meaning as status,
        coalesce(sources.meaning, 'unknown') as source_channel,
        sources.meaning is not null as is_source_known
    from (select distinct status, source_channel from posted) as words
    left join lead_spellings as statuses
        on statuses.kind = 'status' and lead_slug(words.status) = lead_slug(statuses.spelling)
    left join lead_spellings as sources
        on sources.kind = 'source_channel' and lead_slug(words.source_channel) = lead_slug(sources.spelling)
),

said as (
    select
        posted.*,
        meant.status as meaning,
        meant.source_channel as channel,
        meant.is_source_known
    from posted
    inner join meant on posted.status = meant.written_status and posted.source_channel = meant.written_source
    where meant.status is distinct from 'not_a_lead'
),

-- A post is measured against the one before it of the same contact, so a chain of impatient clicks is one lead: the first.
again as (
    select lead_id
    from (
        select
            lead_id,
            created_at - lag(created_at) over (partition by contact order by created_at, lead_id) as since
        from said
        where contact is not null
    ) as following
    where since <= interval '10 minutes'
),

counted as (
    select said.*
    from said
    left join again on said.lead_id = again.lead_id
    where
        again.lead_id is null
        and said.created_at >= %(first)s::date::timestamp at time zone 'Europe/Amsterdam'
),
