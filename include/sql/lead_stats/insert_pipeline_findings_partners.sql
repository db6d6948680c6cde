-- Grain: one spelling of (country, branch, region) whose capacity fits no segment, or two, on the latest whole day only.
-- Why: a partner who is written differently is capacity that is missing somewhere, and a budget that falls for no reason.
with {% include 'reading/partner_capacity.sql' %}

unfit as (
    select
        -- A text of any length is no key of a finding.
        left(places.code, 40) as code,
        left(coalesce(nullif(places.branch_name, ''), 'no branch'), 80) as branch,
        left(coalesce(nullif(places.region_name, ''), 'no region'), 80) as region,
        count(distinct offered.partner_id) as partners,
        count(*) filter (where offered.possible_leads is null) as unknown,
        coalesce(sum(offered.possible_leads), 0) as leads,
        max((
            select count(*)
            from areas
            where places.code = areas.code and places.branch_name = areas.branch_name and places.region_name = areas.region_name
        )) as segments
    from offered
    inner join places
        on offered.country = places.country and offered.branch = places.branch and offered.region = places.region
    left join fitting
        on offered.country = fitting.country and offered.branch = fitting.branch and offered.region = fitting.region
    where fitting.segment_id is null and %(last)s::date = lead_today() - 1
    group by 1, 2, 3
),

found as (
    select
        'capacity_without_segment' as name,
        'warn' as level,
        null::uuid as segment_id,
        'partner_capacity' as channel,
        null::date as date,
        code || ', ' || branch || ', ' || region as subject,
        format(
            '%%s partner(s) of %%s, branch %%s, region %%s take %%s leads per day%%s, which %%s; no budget is raised for them.',
            partners,
            code,
            branch,
            region,
            leads,
            case when unknown > 0 then format(' (%%s of them without a valid number)', unknown) else '' end,
            case segments when 0 then 'belong to no active segment' else format('fit %%s active segments alike', segments) end
        ) as detail,
        %(advice)s::jsonb ->> 'capacity_without_segment' as remediation,
        %(last)s::date as evidence_date,
        leads as amount
    from unfit
),

checked as (
    select
        'capacity_without_segment' as name,
        'partner_capacity' as channel,
        null::text as account,
        '-infinity'::date as first,
        %(last)s::date as last
    where %(last)s::date = lead_today() - 1
),

{% include 'findings/record_found.sql' %}
