-- Grain: one lead without a segment, created in the window.
-- Why: within a country, branch and longest postal prefix decide, then the region, also of a lead whose postal code is missing or fits
-- no prefix; two segments that fit alike are a tie. A lead that fits none stays without a segment, for a person to see.
-- Planned after join_whole_sets.sql: on a database without statistics each lead would be compared with each segment, for hours.
with unmatched as materialized (
    select
        source.lead_id,
        coalesce(source.country, '') as country,
        coalesce(source.branch, '') as branch,
        coalesce(source.region, '') as region,
        source.postal_code
    from ({% include 'sources/leads.sql' %}) as source
    where
        source.segment_id is null
        and source.created_at >= %(first)s::date::timestamp at time zone 'Europe/Amsterdam'
        and source.created_at < (%(last)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
),

spelled as (
    select distinct
        country,
        branch,
        region
    from unmatched
),

{% include 'reading/places.sql' %}

placed as materialized (
    select
        unmatched.lead_id,
        lead_postal_country(unmatched.postal_code, places.code) as code,
        places.branch_name,
        places.region_name,
        lead_postal_code(unmatched.postal_code, places.code) as postal_code
    from unmatched
    inner join places
        on
            unmatched.country = places.country
            and unmatched.branch = places.branch
            and unmatched.region = places.region
),

prefixes as (
    select
        areas.segment_id,
        areas.code,
        areas.branch_name,
        upper(prefix.value) as prefix
    from areas
    cross join lateral unnest(areas.postal_prefixes) as prefix (value)
),

lengths as (
    select distinct length(prefix) as characters from prefixes
),

-- Materialized: each lead is looked up once for every length there is, and not compared with every prefix of its branch.
beginnings as materialized (
    select
        placed.lead_id,
        placed.code,
        placed.branch_name,
        lengths.characters,
        left(placed.postal_code, lengths.characters) as beginning
    from placed
    cross join lengths
),

candidates as (
    select
        beginnings.lead_id,
        prefixes.segment_id,
        beginnings.characters as specificity
    from beginnings
    inner join prefixes
        on
            beginnings.code = prefixes.code
            and beginnings.branch_name = prefixes.branch_name
            and beginnings.beginning = prefixes.prefix
            and beginnings.characters = length(prefixes.prefix)
    union all
    select
        placed.lead_id,
        areas.segment_id,
        0
    from placed
    inner join areas
        on
            placed.code = areas.code
            and placed.branch_name = areas.branch_name
            and placed.region_name = areas.region_name
),

ranked as (
    select
        lead_id,
        segment_id,
        rank() over (partition by lead_id order by specificity desc) as place
    from candidates
),

decided as materialized (
    select
        lead_id,
        min(segment_id::text)::uuid as segment_id
    from ranked
    where place = 1
    group by lead_id
    having count(distinct segment_id) = 1
),

-- Locked in the order of the key, so that two runs that overlap wait for each other instead of deadlocking.
locked as materialized (
    select
        leads.id as lead_id,
        decided.segment_id
    from leads
    inner join decided on leads.id = decided.lead_id
    where
        -- A list of keys is looked up by the index also where no loop is allowed.
        leads.id = any(array(select lead_id from decided))
        -- Written so that no index on segment_id fits: a scan of all that wait is none of a day's.
        and (leads.segment_id is null) is true
    order by leads.id
    for no key update of leads
)

update leads
set segment_id = locked.segment_id
from locked
where
    leads.id = any(array(select lead_id from locked))
    and leads.id = locked.lead_id
    and (leads.segment_id is null) is true
