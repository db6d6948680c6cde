-- Grain: one day of one segment, newest last: what came in, what was decided, what became of it.
-- Why: `make history`: why a budget moved, and whether it helped, in the order in which it happened.
{% set day = 'days.day' %}
select
    days.day::date as day,
    stats.leads_generated as leads,
    round(decisions.target_leads_per_day, 1) as target,
    round(decisions.expected_leads_per_day, 1) as expected,
    plans.lead_gap as gap,
    round(stats.google_ads_spend, 2) as spend,
    round(decisions.old_budget, 2) as old_budget,
    round(decisions.new_budget, 2) as new_budget,
    decisions.action,
    -- A plan of a day on which nothing was decided is there for its gap alone.
    coalesce(reverts.said, changes.refused, case when decisions.action is not null then plans.orchestration_status end) as became,
    array_to_string(decisions.reasons, ', ') as reasons,
    round(outcomes.promised, 1) as promised,
    round(outcomes.came, 1) as came_7_days,
    case outcomes.verdict
        when 'on_target' then 'on target'
        when 'nearer' then 'nearer to the target'
        when 'not_nearer' then 'no nearer to the target'
        when 'unclear' then 'not judged: it was changed again'
        else case when outcomes.made <> 'hold' and outcomes.came is null then 'its 7 days are not over' end
    end as helped
from
    (
        select lead_today() - back as day
        from generate_series(0, %(days)s::integer - 1) as back
    ) as days
cross join (
    select *
    from lead_segments
    where code = %(segment)s
) as segments
left join lead_generation_stats as stats on segments.id = stats.segment_id and days.day = stats.date
left join lead_segment_plans as plans on segments.id = plans.segment_id and days.day = plans.date
{% include 'reading/became.sql' %}
left join budget_outcomes as outcomes on decisions.id = outcomes.decision_id
order by days.day
