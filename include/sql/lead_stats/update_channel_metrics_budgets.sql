-- Grain: one (segment, day) of which a pull has a budget, and whose sources were changed since the day was last read.
-- Why: a day's first recorded budget stays; that of campaigns which are not the segment's any more was never its own.
with changed as materialized (
    select
        metrics.segment_id,
        metrics.date
    from pulled_metrics as pulled
    inner join channel_metrics as metrics
        on
            pulled.segment_id = metrics.segment_id
            and pulled.date = metrics.date
            and metrics.channel = %(channel)s
            and metrics.account = %(account)s
            and metrics.date between %(first)s::date and %(last)s::date
    where
        pulled.daily_budget_micros is not null
        and metrics.daily_budget is not null
        and exists (
            select 1
            from channel_source_changes as changes
            where
                changes.restated_at is null
                and changes.channel = %(channel)s
                and changes.account = %(account)s
                and changes.segment_id = metrics.segment_id
                and metrics.date between coalesce(changes.date_from, '-infinity') and coalesce(changes.date_to, 'infinity')
                {%- set channel %}%(channel)s{% endset %}
                {%- set account %}%(account)s{% endset %}
                {%- set day, since = 'metrics.date', '> changes.changed_at' %}
                and not {% include 'reading/fetched.sql' %}
        )
    -- Locked in the order of the key, so that two runs that overlap wait for each other instead of deadlocking.
    order by metrics.segment_id, metrics.date
    for no key update of metrics
)

update channel_metrics as metrics
set daily_budget = null
from changed
where
    metrics.segment_id = changed.segment_id
    and metrics.channel = %(channel)s
    and metrics.account = %(account)s
    and metrics.date = changed.date
    and metrics.date between %(first)s::date and %(last)s::date
