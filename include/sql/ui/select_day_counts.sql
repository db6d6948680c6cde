-- Grain: one row about one day, in JSON: how many segments, decisions, changes, gaps; and what the filters may be set to.
-- Why: the sentence and the figures at the top of the page. They speak of all segments, whatever the lists are filtered by.
with of_day as (
    {% include 'reading/segments_of_day.sql' %}
),

counted as (
    select
        count(*) as segments,
        count(decision_id) as decided,
        count(*) filter (where action = 'increase' and outcome in ('applied', 'pending', 'dry_run')) as up,
        count(*) filter (where action = 'decrease' and outcome in ('applied', 'pending', 'dry_run')) as down,
        trim_scale(coalesce(sum(new - old) filter (where outcome in ('applied', 'pending', 'dry_run')), 0)) as net,
        count(*) filter (where part = 'held') as held,
        count(*) filter (where outcome = 'waiting') as waiting,
        trim_scale(coalesce(sum(new - old) filter (where outcome = 'waiting'), 0)) as waiting_eur,
        -- What a yes to all of them should bring, leads per day; unknown where it is of one of them.
        case
            when bool_and((inputs ->> 'expected_after') is not null and expected is not null) filter (where outcome = 'waiting')
                then trim_scale(round(sum((inputs ->> 'expected_after')::numeric - expected) filter (where outcome = 'waiting'), 4))
        end as waiting_leads,
        count(*) filter (where outcome = 'held' and part = 'person') as repairs,
        count(*) filter (where outcome in ('failed', 'refused')) as failed,
        count(*) filter (where outcome = 'reverted') as reverted,
        count(*) filter (where outcome in ('rejected', 'expired')) as declined,
        count(*) filter (where outcome = 'dry_run') as dry_run,
        count(*) filter (where side = 'short') as short,
        trim_scale(coalesce(sum(target - expected) filter (where side = 'short'), 0)) as short_leads,
        count(*) filter (where side = 'over') as over,
        trim_scale(coalesce(sum(expected - target) filter (where side = 'over'), 0)) as over_leads,
        -- Of the repairs, how many have which cause: whose work they are follows from it.
        (
            select coalesce(json_object_agg(work.code, work.n), '{}')
            from (
                select
                    coalesce(case when is_blocked then cause end, finding, cause) as code,
                    count(*) as n
                from of_day
                where outcome = 'held' and part = 'person'
                group by 1
            ) as work
        ) as repairs_by_cause,
        -- What no budget waits for, by its kind: Health lists each kind once.
        case
            when %(day)s::date = lead_today()
                then (
                    select coalesce(json_agg(distinct findings.name), '[]')
                    from pipeline_findings as findings
                    where findings.resolved_at is null and findings.level = 'warn'
                )
            else '[]'
        end as improvements,
        -- Beside the segments that are counted as work already. Which findings were open on a past day is not kept.
        case
            when %(day)s::date = lead_today()
                then (
                    select count(*)
                    from pipeline_findings as findings
                    where
                        findings.resolved_at is null
                        and findings.level = 'stop'
                        and not exists (
                            select from of_day as listed
                            where findings.segment_id = listed.segment_id and listed.part = 'person'
                        )
                )
            else 0
        end as other_findings,
        count(*) filter (where decision_id is not null and (target is null or expected is null)) as unknown,
        -- Where they are missing most, whatever was decided of them.
        (
            select coalesce(json_agg(to_json(most) order by most.missing desc, most.code), '[]')
            from (
                select
                    code,
                    branch,
                    region,
                    trim_scale(target - expected) as missing
                from of_day
                where side = 'short'
                order by target - expected desc, code
                limit 3
            ) as most
        ) as most_missing,
        (
            select coalesce(json_agg(to_json(most) order by most.missing desc, most.branch), '[]')
            from (
                select
                    branch,
                    trim_scale(sum(target - expected)) as missing
                from of_day
                where side = 'short'
                group by branch
                order by sum(target - expected) desc, branch
                limit 3
            ) as most
        ) as branches_missing,
        array_agg(distinct branch order by branch) as branches,
        array_agg(distinct region order by region) as regions
    from of_day
)

select
    (to_jsonb(counted) - 'branches' - 'regions')::text as counts,
    json_build_object(
        'branches', coalesce(counted.branches, '{}'),
        'regions', coalesce(counted.regions, '{}'),
        'reasons', coalesce(
            (select array_agg(distinct given.code order by given.code) from of_day cross join unnest(of_day.reasons) as given (code)), '{}'
        )
    )::text as facets
from counted
