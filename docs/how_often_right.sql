-- Grain: one action (increase, decrease, hold) over half a year, then by week; only decisions whose 7 days are over.
-- Why: "how often were we right": whether promises hold, and whether changes bring leads nearer to their target more often than
-- luck would. What counts as made, and as judged, is said in the view budget_outcomes.
with counted as (
    select
        date_trunc('week', decision_date::timestamp)::date as week,
        made as action,
        count(*) as decisions,
        count(*) filter (where is_judged) as judged,
        count(*) filter (where reverts.any_budget) as reverted,
        avg(is_as_promised::int) as as_promised,
        avg(is_nearer::int) as nearer,
        sum(is_nearer::int) as came_nearer,
        avg(nearer_by_luck) as by_luck,
        sum(nearer_by_luck) as luck,
        sum(nearer_by_luck * (1 - nearer_by_luck)) as luck_variance,
        round(avg(came - target) filter (where is_judged), 2) as leads_over_target
    from budget_outcomes as outcomes
    -- By a person, on that day (which makes the change a hold) or later.
    cross join lateral (
        select count(*) > 0 as any_budget
        from channel_orchestration_log as back
        inner join channel_orchestration_log as log on back.reverts = log.id
        where log.decision_id = outcomes.decision_id and back.status = 'success'
    ) as reverts
    where came is not null and decision_date >= lead_today() - 182
    group by grouping sets ((2), (1, 2))
),

-- The chance that as many would have come nearer, or more, had none of the changes done anything; as if no season moved several
-- segments at once, so a single week says little.
weighed as (
    select
        counted.*,
        1 - private.normal_cdf((came_nearer - 0.5 - luck) / nullif(sqrt(luck_variance), 0)) as chance_of_luck
    from counted
)

select
    coalesce(week::text, 'all') as week,
    action,
    decisions,
    judged,
    reverted,
    -- Near 80 where the promises are honest.
    round(100 * as_promised) as as_promised_pct,
    round(100 * nearer) as nearer_pct,
    round((100 * by_luck)::numeric) as nearer_by_luck_pct,
    round((100 * chance_of_luck)::numeric, 1) as chance_of_luck_pct,
    case
        when chance_of_luck < 0.05 then 'better than luck'
        when chance_of_luck > 0.95 then 'worse than luck'
        when chance_of_luck is not null then 'no better than luck'
    end as verdict,
    leads_over_target
from weighed
order by week is not null, week desc, action
