-- noqa: disable=all
-- Grain: one row for the segment `segments` and the day `day`: its decision, the codes of what was refused of it, and what was reverted
-- that day. The end of a FROM clause: gives `decisions`, `changes` and `reverts`; NULL where there is none.
-- Why: today's table, the digest and a segment's history say the same of a day.
left join lateral (
    {%- set which %}
        evaluated.segment_id = segments.id
        and evaluated.channel = %(channel)s
        and evaluated.decision_date = {{ day }}
    {%- endset %}
    {% include 'reading/decisions.sql' %}
) as decisions on true
left join lateral (
    select string_agg(distinct 'failed: ' || log.error_code, ', ') as refused
    from channel_orchestration_log as log
    where
        log.segment_id = segments.id
        and log.channel = %(channel)s
        and log.decision_date = {{ day }}
        and log.kind = 'plan'
        and log.status = 'failed'
) as changes on true
left join lateral (
    {% include 'reading/reverts.sql' %}
) as reverts on true
