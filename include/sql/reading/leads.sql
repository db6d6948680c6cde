-- noqa: disable=all
-- Grain: one post of the window, and of the ten minutes before it. The beginning of a statement: gives `posted`, `meant` (what
-- each pair of status and source channel means; status NULL = not known) and `counted`: the posts that are a lead, once each.
-- Why: what is no lead, and what was posted twice, is left out in one place; each word is read once, not once per lead. The posts are
-- read up to three times: written down once and read from there, a month of ten thousand segments would go to disk.
posted as not materialized (
    select
        source.lead_id,
        source.created_at,
        source.segment_id,
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

said as not materialized (
    select
        posted.*,
        meant.status as meaning,
        meant.source_channel as channel,
        meant.is_source_known
    from posted
    inner join meant on posted.status = meant.written_status and posted.source_channel = meant.written_source
    where meant.status is distinct from 'not_a_lead'
),

-- Which posts are of one contact, as the owner of the table sees it; few rows.
contacts as materialized (
    select
        lead_id,
        contact
    from private.lead_contacts(%(first)s::date, %(last)s::date)
),

-- Written as a lookup: a join would be planned by what is guessed of the posts.
repeated as materialized (
    select
        lead_id::text as lead_id,
        created_at
    from said
    where (lead_id::text in (select contacts.lead_id from contacts)) is true
),

-- A post is measured against the one before it of the same contact, so a chain of impatient clicks is one lead: the first.
again as materialized (
    select lead_id
    from (
        select
            repeated.lead_id,
            repeated.created_at
            - lag(repeated.created_at) over (partition by contacts.contact order by repeated.created_at, repeated.lead_id) as since
        from repeated
        inner join contacts on repeated.lead_id = contacts.lead_id
    ) as following
    where since <= interval '10 minutes'
),

counted as (
    select said.*
    from said
    where
        (said.lead_id::text in (select again.lead_id from again)) is not true
        and said.created_at >= %(first)s::date::timestamp at time zone 'Europe/Amsterdam'
),
