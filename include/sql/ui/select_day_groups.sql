-- Grain: one row about one day, in JSON: the clusters of segments that wait for the same repair, and the first or next 25 rows of each
-- of the three lists (person, changed, held).
-- Why: with 10,000 segments equal rows would hide the few that differ, so the same repair for three or more is one line, and rows come by
-- pages. A page goes on after the key of the last row, so that nothing is shown twice or left out.
with
-- Materialized: planned for the few segments of a filter, each would be looked for in the whole day's changes again.
every_segment as materialized (
    {% include 'reading/segments_of_day.sql' %}
),

of_day as (
    select *
    from every_segment
    where
        (%(branch)s::text is null or branch = %(branch)s)
        and (%(region)s::text is null or region = %(region)s)
        and (%(action)s::text is null or coalesce(action, '') = %(action)s or side = %(action)s)
        and (%(reason)s::text is null or %(reason)s = any(reasons))
        and (
            %(q)s::text is null
            or position(translate(lower(%(q)s), '_-', '  ') in translate(code, '_-', '  ')) > 0
            or position(translate(lower(%(q)s), '_-', '  ') in translate(branch || ' ' || region, '_-', '  ')) > 0
        )
),

keyed as materialized (
    select
        of_day.segment_id,
        of_day.decision_id,
        of_day.code,
        of_day.branch,
        of_day.region,
        of_day.error_code,
        of_day.decided_by,
        of_day.reverted_at,
        of_day.reverted_by,
        of_day.log_id,
        of_day.part,
        of_day.outcome,
        of_day.finding,
        of_day.cause,
        of_day.new,
        -- Who waits for an answer has a deadline.
        case when outcome = 'waiting' then 0 else 1 end as urgency,
        case %(sort)s::text
            when 'gap' then coalesce(abs(expected - target), -1)
            when 'euros'
                then coalesce(
                    {% set target, old = 'target', 'old' %}
                    {%- set wanted = "(inputs ->> 'wanted_budget')::numeric" %}
                    {%- set floor = "(inputs ->> 'min_daily_budget')::numeric" %}
                    {%- set cap = "(inputs ->> 'max_daily_budget')::numeric" %}
                    {%- include 'reading/at_stake.sql' %},
                    -1
                )
            else 0
        end as weight,
        case
            when %(reason)s::text is null and %(q)s::text is null and outcome = 'held' and part = 'person'
                then count(*) over (partition by part, outcome, cause) > 2
            else false
        end as is_clustered
    from of_day
),

totals as (
    select
        part,
        count(*) as total
    from keyed
    group by part
),

clusters as (
    select
        cause as reason,
        count(*) as n,
        sum(new) as budget,
        (array_agg(json_build_object('code', code, 'branch', branch, 'region', region) order by code))[1:6] as segments
    from keyed
    where is_clustered
    group by cause
),

placed as (
    select
        keyed.*,
        row_number() over (partition by part order by urgency, weight desc, code) as place
    from keyed
    where
        not is_clustered
        and (%(group)s::text is null or part = %(group)s)
        and (
            %(after_code)s::text is null
            or (urgency, -weight, code) > (%(after_urgency)s::integer, -%(after_weight)s::numeric, %(after_code)s::text)
        )
),

shown as (
    select
        chosen.part,
        chosen.place,
        chosen.urgency,
        chosen.weight,
        chosen.code,
        day_row.entry
    from placed as chosen
    cross join lateral (
        {% include 'reading/day_row.sql' %}
    ) as day_row
    where chosen.place <= 25
),

lists as (
    select
        names.place,
        json_build_object(
            'name', names.name,
            'total', coalesce(totals.total, 0),
            'rows', coalesce(
                (select json_agg(shown.entry order by shown.place) from shown where shown.part = names.name), '[]'
            ),
            'next', (
                select
                    translate(
                        encode(
                            convert_to(json_build_array(shown.urgency, shown.weight::text, shown.code)::text, 'UTF8'), 'base64'
                        ),
                        '+/=' || chr(10), '-_'
                    )
                from shown
                where
                    shown.part = names.name
                    and shown.place = 25
                    and exists (select from placed where placed.part = names.name and placed.place = 26)
            )
        ) as list
    from (values (1, 'person'), (2, 'changed'), (3, 'held')) as names (place, name)
    left join totals on names.name = totals.part
    where %(group)s::text is null or names.name = %(group)s
)

select
    coalesce(
        (
            select
                json_agg(
                    json_build_object(
                        'reason', clusters.reason,
                        'n', clusters.n,
                        'budget', trim_scale(clusters.budget),
                        'segments', clusters.segments
                    )
                    order by clusters.n desc, clusters.reason
                )
            from clusters
        ),
        '[]'
    )::text as clusters,
    (select json_agg(lists.list order by lists.place) from lists)::text as groups
