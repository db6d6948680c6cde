-- Grain: one (channel, account, day, metric) of the window whose sources were changed; runs in the transaction that has just taken
-- from segments what is not theirs any more.
-- Why: the pull kept its sums while the segment that had the figures before still had them. Where an earlier value of what was not
-- believed may be kept too, the sum is not known until the next pull; an account that is not read any more was not asked. A table
-- without any active source is a mistake, and takes nothing away.
with touched as materialized (
    select distinct
        changes.channel,
        changes.account,
        day::date as date
    from channel_source_changes as changes
    cross join lateral generate_series(
        greatest(changes.date_from, %(first)s::date), least(changes.date_to, %(last)s::date), interval '1 day'
    ) as day
    where changes.restated_at is null
),

kept as materialized (
    select
        touched.channel,
        touched.account,
        touched.date,
        {% include 'sums/kept.sql' %},
        exists (select 1 from channel_sources where is_active)
        {%- set channel, account, day = 'touched.channel', 'touched.account', 'touched.date' %}
        and not {% include 'reading/has_source.sql' %}
            as is_left
    from touched
    left join channel_metrics as metrics
        on
            touched.channel = metrics.channel
            and touched.account = metrics.account
            and touched.date = metrics.date
            and metrics.date between %(first)s::date and %(last)s::date
    group by touched.channel, touched.account, touched.date
),

-- Locked in the order of the key, so that two runs that overlap wait for each other instead of deadlocking.
known as materialized (
    select
        totals.channel,
        totals.account,
        totals.date,
        totals.metric,
        figure.segments::integer as segments,
        case when totals.left_out = 0 then coalesce(figure.amount, 0) end as in_segments,
        case when not kept.is_left then totals.reported end as reported
    from channel_totals as totals
    inner join kept
        on totals.channel = kept.channel and totals.account = kept.account and totals.date = kept.date
    {% include 'sums/figures.sql' %}
    where totals.metric = figure.metric and totals.in_segments is not null
    order by totals.channel, totals.account, totals.date, totals.metric
    for no key update of totals
)

update channel_totals as totals
set
    segments = known.segments,
    in_segments = known.in_segments,
    reported = known.reported
from known
where
    totals.channel = known.channel
    and totals.account = known.account
    and totals.date = known.date
    and totals.metric = known.metric
    and (totals.segments, totals.in_segments, totals.reported)
    is distinct from (known.segments, known.in_segments, known.reported)
