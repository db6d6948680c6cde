-- noqa: disable=all
-- Grain: one (country, branch, region) as it is written somewhere. The middle of a statement that has a CTE
-- `spelled (country, branch, region)`, NULLs as '': gives `places` (what each one means) and `areas` (the active segments' own).
-- Why: leads, capacity and segments are read by the same table of spellings, so that one of them never goes elsewhere than the
-- others; and each spelling is read once, not once per lead.
known_words as materialized (
    select
        kind,
        coalesce(country, '') as country,
        lead_slug(spelling) as slug,
        meaning
    from lead_spellings
),

spelled_places as (
    select country, branch, region from spelled
    union
    select country, branch, region from lead_segments where is_active
),

spelled_countries as (
    select
        spelled_places.*,
        lead_slug(spelled_places.branch) as branch_slug,
        coalesce(known_words.meaning, nullif(upper(lead_slug(spelled_places.country)), ''), 'NL') as code
    from spelled_places
    left join known_words on known_words.kind = 'country' and lead_slug(spelled_places.country) = known_words.slug
),

spelled_regions as (
    select
        spelled_countries.*,
        -- "Limburg (BE)" is limburg where it is about Belgium, and a spelling of its own elsewhere.
        regexp_replace(lead_slug(region), '-' || lower(code) || '$', '') as region_slug
    from spelled_countries
),

places as materialized (
    select
        spelled.country,
        spelled.branch,
        spelled.region,
        spelled.code,
        coalesce(lead_slug(coalesce(own_branch.meaning, any_branch.meaning)), spelled.branch_slug) as branch_name,
        coalesce(lead_slug(coalesce(own_region.meaning, any_region.meaning)), spelled.region_slug) as region_name
    from spelled_regions as spelled
    left join known_words as own_branch
        on own_branch.kind = 'branch' and spelled.code = own_branch.country and spelled.branch_slug = own_branch.slug
    left join known_words as any_branch
        on any_branch.kind = 'branch' and any_branch.country = '' and spelled.branch_slug = any_branch.slug
    left join known_words as own_region
        on own_region.kind = 'region' and spelled.code = own_region.country and spelled.region_slug = own_region.slug
    left join known_words as any_region
        on any_region.kind = 'region' and any_region.country = '' and spelled.region_slug = any_region.slug
),

areas as materialized (
    select
        segments.id as segment_id,
        places.code,
        places.branch_name,
        places.region_name,
        segments.postal_prefixes
    from lead_segments as segments
    inner join places
        on segments.country = places.country and segments.branch = places.branch and segments.region = places.region
    where segments.is_active
),
