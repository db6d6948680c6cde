-- noqa: disable=all
-- Grain: an expression: whether the account `account` of the channel `channel` has a source on the day `day`, of any segment or of
-- `segment`.
-- Why: an account without one is not read that day, and a segment without one keeps none of its figures.
exists (
    select 1
    from channel_sources as sources
    where
        sources.channel = {{ channel }}
        and sources.account = {{ account }}
        {%- if segment | default('') %}
        and sources.segment_id = {{ segment }}
        {%- endif %}
        and sources.is_active
        and {{ day }} between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
)
