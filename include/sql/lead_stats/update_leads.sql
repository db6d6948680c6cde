-- Grain: one lead without a segment, created in the window.
-- Why: branch and longest postal prefix decide, then the region; two segments with equally long prefixes are a tie, left for a person.
with unmatched as (
    select
        source.lead_id,
        source.branch,
        source.postal_code,
        source.region
    from ({% include 'sources/leads.sql' %}) as source
    where
        source.segment_id is null
        and source.created_at >= %(first)s::date::timestamp at time zone 'Europe/Amsterdam'
        and source.created_at < (%(last)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
),

prefixes as (
    select
        segments.id as segment_id,
        segments.branch,
        upper(prefix.value) as prefix
    from lead_segments as segments
    cross join lateral unnest(segments.postal_prefixes) as prefix (value)
    where segments.is_active
),

lengths as (
    select distinct length(prefix) as characters from prefixes
),

-- Materialized: each lead is looked up once for every length there is, and not compared with every prefix of its branch.
beginnings as materialized (
    select
        unmatched.lead_id,
        unmatched.branch,
        lengths.characters,
        left(unmatched.postal_code, lengths.characters) as beginning
    from unmatched
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
            beginnings.branch = prefixes.branch
            and beginnings.beginning = prefixes.prefix
            and beginnings.characters = length(prefixes.prefix)
    union all
    select
        unmatched.lead_id,
        segments.id,
        0
    from unmatched
    inner join lead_segments as segments
        on unmatched.branch = segments.branch and unmatched.region = segments.region and segments.is_active
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
    -- Written so that no index on segment_id fits: each decided lead is then looked up by its key, not by a scan of all that wait.
    where (leads.segment_id is null) is true
    order by leads.id
    for no key update of leads
)

update leads
set segment_id = locked.segment_id
from locked
where
    leads.id = locked.lead_id
    and (leads.segment_id is null) is true
