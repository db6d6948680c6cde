-- noqa: disable=all
-- Grain: one post of the window, or of the ten minutes before it, that the same contact repeated within ten minutes. The body of
-- private.lead_contacts (p_first date, p_last date), which runs as its owner; `make migrate` makes it from the adapter.
-- Why: personal columns are compared where the pipeline cannot read them. `contact` is the id of one of the posts that belong
-- together: nothing that is made of a person's data leaves the function.
{%- set with_contact = true %}
with posted as materialized (
    select
        source.lead_id::text as lead_id,
        source.created_at,
        source.contact::text as contact
    from (
{% include 'sources/leads.sql' %}
    ) as source
    where
        source.contact is not null
        and source.created_at >= p_first::timestamp at time zone 'Europe/Amsterdam' - interval '10 minutes'
        and source.created_at < (p_last + 1)::timestamp at time zone 'Europe/Amsterdam'
),

several as materialized (
    select contact
    from posted
    group by contact
    having count(*) > 1
),

-- Written as a lookup: a join would be planned by what is guessed of the posts.
near as materialized (
    select
        lead_id,
        contact,
        created_at - lag(created_at) over (partition by contact order by created_at, lead_id) as since,
        lead(created_at) over (partition by contact order by created_at, lead_id) - created_at as until
    from posted
    where (contact in (select several.contact from several)) is true
)

select
    lead_id,
    min(lead_id) over (partition by contact) as contact
from near
where least(since, until) <= interval '10 minutes'
