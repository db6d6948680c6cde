-- Grain: one (segment or none, day, source channel) of the window's leads; gone with the transaction.
-- Why: what is written for the segments and what it must add up to are counted once: reading the posts takes longest.
-- Planned after join_whole_sets.sql, for tables without statistics.
{% set with_places = false -%}
create temporary table counted_leads on commit drop as
with {% include 'reading/leads.sql' %}

dated as (
    select
        counted.segment_id,
        (counted.created_at at time zone 'Europe/Amsterdam')::date as date,
        counted.channel,
        counted.meaning
    from counted
)

select
    segment_id,
    date,
    channel as source_channel,
    count(*) as generated,
    count(*) filter (where meaning = 'accepted') as accepted,
    count(*) filter (where meaning = 'rejected') as rejected,
    count(*) filter (where meaning = 'pending' or meaning is null) as pending,
    count(*) filter (where meaning is null) as status_unknown
from dated
group by segment_id, date, channel
