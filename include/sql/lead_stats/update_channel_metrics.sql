-- Grain: one (segment, channel, account, day) of the window whose figures a change of channel_sources took away.
-- Why: what was re-mapped must not show in two segments. A row goes once the account was read under the new sources, which is
-- when another segment has its figures; or at once where the account has no source on that day any more, and is not read. A table
-- without any active source is a mistake, which the run is refused for, and takes nothing away.
{%- from 'lead_stats/figures.jinja' import pulled %}
with open_days as (
    select distinct
        changes.segment_id,
        changes.channel,
        changes.account,
        changes.changed_at,
        day::date as date
    from channel_source_changes as changes
    cross join lateral generate_series(
        greatest(changes.date_from, %(first)s::date), least(changes.date_to, %(last)s::date), interval '1 day'
    ) as day
    where changes.restated_at is null
),

left_over as materialized (
    select
        metrics.segment_id,
        metrics.channel,
        metrics.account,
        metrics.date,
        max(open_days.changed_at) as changed_at
    from open_days
    inner join channel_metrics as metrics
        on
            open_days.segment_id = metrics.segment_id
            and open_days.channel = metrics.channel
            and open_days.account = metrics.account
            and open_days.date = metrics.date
            and metrics.date between %(first)s::date and %(last)s::date
    where
        num_nonnulls(
            {%- for figure in pulled %}
            metrics.{{ figure }}{{ '' if loop.last else ',' }}
            {%- endfor %}
        ) > 0
        and exists (select 1 from channel_sources where is_active)
        {%- set segment, channel = 'metrics.segment_id', 'metrics.channel' %}
        {%- set account, day = 'metrics.account', 'metrics.date' %}
        and not {% include 'reading/has_source.sql' %}
    group by metrics.segment_id, metrics.channel, metrics.account, metrics.date
),

-- Locked in the order of the key, so that two runs that overlap wait for each other instead of deadlocking.
released as materialized (
    select
        metrics.segment_id,
        metrics.channel,
        metrics.account,
        metrics.date
    from channel_metrics as metrics
    inner join left_over
        on
            metrics.segment_id = left_over.segment_id
            and metrics.channel = left_over.channel
            and metrics.account = left_over.account
            and metrics.date = left_over.date
    where
        {%- set channel, account, day = 'left_over.channel', 'left_over.account', 'left_over.date' %}
        {%- set since = '> left_over.changed_at' %}
        {% include 'reading/fetched.sql' %}
        {%- set segment = '' %}
        or not {% include 'reading/has_source.sql' %}
    order by metrics.segment_id, metrics.channel, metrics.account, metrics.date
    for no key update of metrics
)

-- NULL and not 0: the channel is not the segment's on that day, and a day that cost nothing would be believed.
update channel_metrics as metrics
set
    {%- for figure in pulled %}
    {{ figure }} = null,
    {%- endfor %}
    is_empty = false,
    is_final = true
from released
where
    metrics.segment_id = released.segment_id
    and metrics.channel = released.channel
    and metrics.account = released.account
    and metrics.date = released.date
