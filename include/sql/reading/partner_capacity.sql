-- noqa: disable=all
-- Grain: one partner in one segment. The beginning of a statement: gives `offered` (the adapter's rows, NULL words as ''), `fitting`
-- (the one segment of each spelling; none or two = no row) and `partner_areas`.
-- Why: what is written twice for one partner and segment, in two spellings, is one capacity: the larger, or unknown where one is.
-- Its absences are those of all its rows together.
offered as materialized (
    select
        source.partner_id,
        coalesce(source.country, '') as country,
        coalesce(source.branch, '') as branch,
        coalesce(source.region, '') as region,
        number.daily_leads,
        -- What can be added up.
        case when number.daily_leads between 0 and 2147483647 then number.daily_leads end as possible_leads,
        absent.first as absent_from,
        absent.last as absent_to,
        -- Its days among the seven from today on.
        case
            when not absent.is_no_date and absent.first <= coalesce(absent.last, 'infinity')
                then nullif(
                    daterange(absent.first, absent.last, '[]') * daterange(lead_today(), lead_today() + 7), 'empty'
                )
        end as away,
        -- Of what was over before today nobody has to correct anything.
        absent.is_no_date
        or (absent.last < coalesce(absent.first, 'infinity') and greatest(absent.first, absent.last) >= lead_today())
            as is_absence_impossible
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
    -- The same of dates; read as JSON, because an adapter may lack these columns.
    cross join lateral (
        select
            min(dates.day) filter (where dates.name = 'absent_from') as first,
            min(dates.day) filter (where dates.name = 'absent_to') as last,
            count(*) > count(dates.day) as is_no_date
        from (
            select
                written.name,
                case
                    when
                        (
                            written.value ~ '^[1-9]\d{3}-'
                            and jsonb_path_exists(to_jsonb(written.value), '$.datetime()', '{}', true)
                        ) is not true
                        then null
                    when written.value ~ ':.*[+-]' then (written.value::timestamptz at time zone 'Europe/Amsterdam')::date
                    else written.value::date
                end as day
            from jsonb_each_text(to_jsonb(source)) as written (name, value)
            where written.name in ('absent_from', 'absent_to') and written.value not in ('', 'infinity')
        ) as dates
    ) as absent
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
        bool_and(offered.daily_leads is null or offered.possible_leads is not null) as is_possible,
        case when bool_or(offered.away @> lead_today()) then 0 else max(offered.possible_leads) end as possible_leads,
        coalesce(bool_or(offered.away @> lead_today()), false) as is_absent,
        -- A day that is announced twice is one.
        range_agg(offered.away) as away,
        nullif(max(coalesce(offered.absent_to, 'infinity')) filter (where offered.away is not null), 'infinity') as absent_until,
        min(
            'from ' || coalesce(offered.absent_from::text, 'no date') || ' to ' || coalesce(offered.absent_to::text, 'no date')
        ) filter (where offered.is_absence_impossible) as impossible_absence
    from offered
    inner join fitting
        on
            offered.country = fitting.country
            and offered.branch = fitting.branch
            and offered.region = fitting.region
    group by fitting.segment_id, offered.partner_id
),
