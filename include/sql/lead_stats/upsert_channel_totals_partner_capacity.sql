-- Grain: the latest whole day, of all partners; runs in the transaction that has just recorded their capacity for the segments.
-- Why: capacity of segments + capacity that fits none + capacity of segments of which a part is unknown = capacity in the adapter.
with partners as materialized (
    select
        source.branch,
        source.region,
        source.daily_leads
    from ({% include 'sources/partner_capacity.sql' %}) as source
    where %(last)s::date = lead_today() - 1
),

held as materialized (
    select
        metrics.segment_id,
        metrics.capacity_total_leads
    from channel_metrics as metrics
    where
        metrics.channel = 'partner_capacity'
        and metrics.account = 'leads_db'
        and metrics.date = %(last)s::date
),

-- What each partner's place belongs to; NULL where it fits no segment.
placed as (
    select
        partners.daily_leads,
        segments.id as segment_id,
        held.capacity_total_leads
    from partners
    left join lead_segments as segments
        on partners.branch = segments.branch and partners.region = segments.region and segments.is_active
    left join held on segments.id = held.segment_id
),

known as (
    select
        'partner_capacity' as channel,
        'leads_db' as account,
        %(last)s::date as date,
        'capacity' as metric,
        (select count(capacity_total_leads) from held)::integer as segments,
        coalesce((select sum(capacity_total_leads) from held), 0)::numeric(20, 6) as in_segments,
        coalesce(sum(placed.daily_leads) filter (where placed.segment_id is null), 0)::numeric(20, 6) as in_none,
        0::numeric(20, 6) as not_counted,
        coalesce(
            sum(placed.daily_leads) filter (
                where placed.segment_id is not null and placed.capacity_total_leads is null
            ),
            0
        )::numeric(20, 6) as left_out,
        (select coalesce(sum(daily_leads), 0) from partners)::numeric(20, 6) as reported,
        0::numeric(20, 6) as tolerance,
        'stop' as level
    from placed
    where %(last)s::date = lead_today() - 1
    having %(last)s::date = lead_today() - 1
)

{% include 'sums/keep_known.sql' %}
