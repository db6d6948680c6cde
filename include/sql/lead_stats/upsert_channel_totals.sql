-- Grain: one (day, metric) of one account that was just pulled.
-- Why: what segments got is read from what is kept of all of them, so that money that two segments were given shows.
with kept as (
    select
        metrics.date,
        {% include 'sums/kept.sql' %}
    from channel_metrics as metrics
    left join pulled_left_out as left_out on metrics.segment_id = left_out.segment_id and metrics.date = left_out.date
    where
        metrics.channel = %(channel)s
        and metrics.account = %(account)s
        and metrics.date between %(first)s::date and %(last)s::date
        and left_out.segment_id is null
    group by metrics.date
),

given as (
    select
        kept.date,
        figure.metric,
        figure.amount,
        figure.segments
    from kept
    {% include 'sums/figures.sql' %}
),

known as (
    select
        %(channel)s::text as channel,
        %(account)s::text as account,
        totals.date,
        totals.metric,
        coalesce(given.segments, 0)::integer as segments,
        (case when totals.is_read then coalesce(given.amount, 0) end)::numeric(20, 6) as in_segments,
        totals.in_none::numeric(20, 6) as in_none,
        totals.not_counted::numeric(20, 6) as not_counted,
        totals.left_out::numeric(20, 6) as left_out,
        totals.reported::numeric(20, 6) as reported,
        totals.tolerance::numeric(20, 6) as tolerance,
        totals.level
    from pulled_totals as totals
    left join given on totals.date = given.date and totals.metric = given.metric
)

{% include 'sums/keep_known.sql' %}
