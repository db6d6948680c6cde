-- Grain: the latest whole day, of all partners; runs in the transaction that has just recorded their capacity for the segments.
-- Why: capacity of segments + capacity that fits none + capacity of segments of which a part is unknown + what is written twice for
-- one partner, or of one who is away today = capacity in the adapter.
with {% include 'reading/partner_capacity.sql' %}

kept as materialized (
    select
        metrics.segment_id,
        metrics.capacity_total_leads
    from channel_metrics as metrics
    -- A segment that was deactivated since keeps what was recorded of it; its partners fit none now.
    inner join lead_segments as segments on metrics.segment_id = segments.id and segments.is_active
    where
        metrics.channel = 'partner_capacity'
        and metrics.account = 'leads_db'
        and metrics.date = %(last)s::date
),

placed as (
    select
        partner_areas.possible_leads,
        kept.capacity_total_leads
    from partner_areas
    left join kept on partner_areas.segment_id = kept.segment_id
),

known as (
    select
        'partner_capacity' as channel,
        'leads_db' as account,
        %(last)s::date as date,
        'capacity' as metric,
        (select count(capacity_total_leads) from kept)::integer as segments,
        coalesce((select sum(capacity_total_leads) from kept), 0)::numeric(20, 6) as in_segments,
        coalesce(sum(offered.possible_leads) filter (where fitting.segment_id is null), 0)::numeric(20, 6) as in_none,
        coalesce(
            coalesce(sum(offered.possible_leads) filter (where fitting.segment_id is not null), 0)
            - coalesce((select sum(possible_leads) from partner_areas), 0),
            0
        )::numeric(20, 6) as not_counted,
        coalesce((select sum(possible_leads) from placed where capacity_total_leads is null), 0)::numeric(20, 6) as left_out,
        coalesce(sum(offered.possible_leads), 0)::numeric(20, 6) as reported,
        -- A segment's sum is a whole number.
        case
            when bool_or(offered.possible_leads <> trunc(offered.possible_leads)) then 0.5 * (select count(*) from kept) else 0
        end::numeric(20, 6) as tolerance,
        'stop' as level
    from offered
    left join fitting
        on
            offered.country = fitting.country
            and offered.branch = fitting.branch
            and offered.region = fitting.region
    where %(last)s::date = lead_today() - 1
    having %(last)s::date = lead_today() - 1
)

{% include 'sums/keep_known.sql' %}
