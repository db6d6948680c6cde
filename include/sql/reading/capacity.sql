-- noqa: disable=all
-- Grain: one partner in one segment. The beginning of a statement: gives `offered` (the adapter's rows, NULL words as ''), `fitting`
-- (the one segment of each spelling; none or two = no row) and `partner_areas`.
-- Why: what is written twice for one partner and segment, in two spellings, is one capacity: the larger, or unknown where one is.
offered as materialized (
    select
        source.partner_id,
        coalesce(source.country, '') as country,
        coalesce(source.branch, '') as branch,
        coalesce(source.region, '') as region,
        number.daily_leads,
        -- What can be added up.
        case when number.daily_leads between 0 and 2147483647 then number.daily_leads end as possible_leads
    from ({% include 'sources/partner_capacity.sql' %}) as source
    -- A column of any type: what is written there and is no number is not possible, and no other partner's is lost by it.
    cross join lateral (
        select
            case
                when source.daily_leads::text ~ '^\s*[+-]?([0-9]{1,30}([.][0-9]{0,30})?|[.][0-9]{1,30})\s*$'
                    then source.daily_leads::text::numeric
                when source.daily_leads is not null then 'NaN'::numeric
            end as daily_leads
    ) as number
),

spelled as (
    select distinct
        country,
        branch,
        region
    from offered
),

{% include 'reading/places.sql' %}

fitting as materialized (
    select
        places.country,
        places.branch,
        places.region,
        min(areas.segment_id::text)::uuid as segment_id
    from places
    inner join areas
        on
            places.code = areas.code
            and places.branch_name = areas.branch_name
            and places.region_name = areas.region_name
    group by places.country, places.branch, places.region
    having count(*) = 1
),

partner_areas as (
    select
        fitting.segment_id,
        offered.partner_id,
        case when count(*) = count(offered.daily_leads) then max(offered.daily_leads) end as daily_leads,
        max(offered.possible_leads) as possible_leads,
        bool_and(offered.daily_leads is null or offered.possible_leads is not null) as is_possible
    from offered
    inner join fitting
        on
            offered.country = fitting.country
            and offered.branch = fitting.branch
            and offered.region = fitting.region
    group by fitting.segment_id, offered.partner_id
),
