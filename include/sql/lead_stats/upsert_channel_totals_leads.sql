-- Grain: one day of the window, of all leads; runs in the transaction that has just counted them for the segments.
-- Why: leads with a segment + leads without + what is no lead or was posted again = leads in the adapter; a lead that is in none of
-- them was dropped. A lead that arrives between the count and this is not counted until the next run.
with source as materialized (
    select
        (posts.created_at at time zone 'Europe/Amsterdam')::date as date,
        count(*) as reported
    from ({% include 'sources/leads.sql' %}) as posts
    where
        posts.created_at >= %(first)s::date::timestamp at time zone 'Europe/Amsterdam'
        and posts.created_at < (%(last)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
    group by 1
),

leads as materialized (
    select
        date,
        sum(generated) as counted,
        coalesce(sum(generated) filter (where segment_id is null), 0) as in_none
    from counted_leads
    group by date
),

kept as materialized (
    select
        metrics.date,
        count(*) as segments,
        sum(metrics.leads_generated) as amount
    from channel_metrics as metrics
    where
        metrics.channel = 'leads'
        and metrics.account = 'leads_db'
        and metrics.date between %(first)s::date and %(last)s::date
    group by metrics.date
),

known as (
    select
        'leads' as channel,
        'leads_db' as account,
        day.date::date as date,
        'leads' as metric,
        coalesce(kept.segments, 0)::integer as segments,
        kept.amount::numeric(20, 6) as in_segments,
        coalesce(leads.in_none, 0)::numeric(20, 6) as in_none,
        (coalesce(source.reported, 0) - coalesce(leads.counted, 0))::numeric(20, 6) as not_counted,
        0::numeric(20, 6) as left_out,
        coalesce(source.reported, 0)::numeric(20, 6) as reported,
        0::numeric(20, 6) as tolerance,
        'stop' as level
    from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as day (date)
    left join source on day.date::date = source.date
    left join leads on day.date::date = leads.date
    left join kept on day.date::date = kept.date
)

{% include 'sums/keep_known.sql' %}
