-- Grain: a JSON list, one entry per source of leads of one segment, the largest first; the 30 days before the bound day.
-- Why: which channel brings the leads, and what a paid one costs; `unknown` are the leads without a source.
with brought as (
    select
        sources.channel,
        sum((sources.counts ->> 'generated')::integer) as generated,
        sum((sources.counts ->> 'accepted')::integer) as accepted,
        sum((sources.counts ->> 'pending')::integer) as pending,
        sum((sources.counts ->> 'rejected')::integer) as rejected
    from channel_metrics as metrics
    cross join jsonb_each(metrics.leads_by_source) as sources (channel, counts)
    where
        metrics.segment_id = %(segment)s::uuid
        and metrics.channel = 'leads'
        and metrics.date between %(day)s::date - 30 and %(day)s::date - 1
    group by sources.channel
),

paid as (
    select
        metrics.channel,
        sum(metrics.spend) as spend
    from channel_metrics as metrics
    where
        metrics.segment_id = %(segment)s::uuid
        and metrics.channel = %(channel)s
        and metrics.date between %(day)s::date - 30 and %(day)s::date - 1
    group by metrics.channel
)

select
    coalesce(
        json_agg(
            json_build_object(
                'channel', coalesce(brought.channel, paid.channel),
                'generated', coalesce(brought.generated, 0),
                'accepted', coalesce(brought.accepted, 0),
                'pending', coalesce(brought.pending, 0),
                'rejected', coalesce(brought.rejected, 0),
                'spend', trim_scale(paid.spend)
            )
            order by brought.generated desc nulls last, coalesce(brought.channel, paid.channel)
        ),
        '[]'
    )::text as channels
from brought
full join paid on brought.channel = paid.channel
