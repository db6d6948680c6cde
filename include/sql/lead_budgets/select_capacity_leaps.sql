-- Grain: one active segment whose capacity of the latest whole day is known, and whether that is far from every level known of it.
-- Why: one number typed wrong would move its budget for weeks. Known are the median of the last 28 days, that of the same
-- weekdays (partners who take little on Saturdays), a level that stood for some days, and what a person confirmed. Partners who
-- left are no leap: a segment without any has capacity 0 for a reason that is known; partners who are there and all say 0 are
-- judged like any other figure. Where no earlier day is recorded there is nothing to compare with.
with bounds as (
    select
        -- What is no number bounds nothing, so it lets nothing through either.
        case when max_capacity_rise < 'Infinity' then max_capacity_rise end as rise,
        case when max_capacity_fall < 'Infinity' then max_capacity_fall end as fall,
        case when min_capacity_leap::numeric < 'Infinity' then min_capacity_leap end as least,
        case when capacity_leap_days::numeric < 'Infinity' then capacity_leap_days end as days
    from orchestration_settings
),

recorded as (
    select
        stats.segment_id,
        stats.date,
        stats.capacity_partners as partners,
        -- Who announced an absence has not left: what all take together leaps neither when it begins nor when it ends.
        (stats.capacity_total_leads + coalesce(stats.capacity_absent_leads, 0))::double precision as capacity
    from lead_generation_stats as stats
    inner join lead_segments as segments on stats.segment_id = segments.id and segments.is_active
    where stats.date between lead_today() - 29 and lead_today() - 1 and stats.capacity_total_leads is not null
),

latest as (
    select
        segment_id,
        capacity,
        coalesce(partners, 1) > 0 as has_partners
    from recorded
    where date = lead_today() - 1
),

levels as (
    select
        segment_id,
        'usual' as kind,
        percentile_cont(0.5) within group (order by capacity) as capacity
    from recorded
    where date < lead_today() - 1
    group by segment_id
    union all
    select
        segment_id,
        'weekday',
        percentile_cont(0.5) within group (order by capacity)
    from recorded
    where date < lead_today() - 1 and extract(isodow from date) = extract(isodow from lead_today() - 1)
    group by segment_id
    having count(*) >= 2
    union all
    select
        segment_id,
        'day',
        capacity
    from recorded
    where date < lead_today() - 1
    union all
    select
        segment_id,
        'confirmed',
        confirmed_capacity
    from capacity_confirmations
    where segment_id is not null and valid_until >= lead_today()
),

compared as (
    select
        latest.segment_id,
        latest.capacity,
        latest.has_partners,
        levels.kind,
        levels.capacity as level,
        bounds.days,
        not (
            (latest.capacity > levels.capacity * bounds.rise and latest.capacity - levels.capacity >= bounds.least)
            or (latest.capacity * bounds.fall < levels.capacity and levels.capacity - latest.capacity >= bounds.least)
        ) as is_near
    from latest
    left join levels on latest.segment_id = levels.segment_id
    cross join bounds
)

select
    segment_id::text as segment_id,
    capacity::integer as capacity,
    round(max(level) filter (where kind = 'usual'))::integer as usual,
    -- Today is one of the days on which the level stands.
    1 + count(*) filter (where kind = 'day' and is_near) as stood,
    days,
    has_partners
    and count(*) filter (where kind = 'day') > 0
    and bool_or(is_near) filter (where kind <> 'day') is not true
    and (1 + count(*) filter (where kind = 'day' and is_near) >= days) is not true as is_leap
from compared
group by segment_id, capacity, has_partners, days
order by segment_id
