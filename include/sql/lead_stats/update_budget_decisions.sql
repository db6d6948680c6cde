-- Grain: one decision whose next 7 or 14 days touch the window; leads per day, averaged from the day of the decision on.
-- Why: "how often were we right" is one query; a day without statistics leaves the outcome unknown, and an equal one is not rewritten.
with decided as materialized (
    select
        id,
        segment_id,
        decision_date
    from budget_decisions
    where decision_date between %(first)s::date - 13 and %(last)s::date - 6
),

outcomes as (
    select
        decided.id,
        case
            when count(stats.date) filter (where stats.date < decided.decision_date + 7) = 7
                then avg(stats.leads_generated) filter (where stats.date < decided.decision_date + 7)
        end as realised_leads_7d,
        case when count(stats.date) = 14 then avg(stats.leads_generated) end as realised_leads_14d
    from decided
    left join lead_generation_stats as stats
        on
            decided.segment_id = stats.segment_id
            and stats.date between decided.decision_date and decided.decision_date + 13
            and stats.date between %(first)s::date - 13 and %(last)s::date + 7
            and stats.leads_generated is not null
    group by decided.id
),

-- Locked in the order of the key, so that two runs that overlap wait for each other instead of deadlocking.
changed as materialized (
    select
        decisions.id,
        round(outcomes.realised_leads_7d, 4) as realised_leads_7d,
        round(outcomes.realised_leads_14d, 4) as realised_leads_14d
    from budget_decisions as decisions
    inner join outcomes on decisions.id = outcomes.id
    where
        decisions.decision_date between %(first)s::date - 13 and %(last)s::date - 6
        and (decisions.realised_leads_7d, decisions.realised_leads_14d)
        is distinct from (round(outcomes.realised_leads_7d, 4), round(outcomes.realised_leads_14d, 4))
    order by decisions.id
    for no key update of decisions
)

update budget_decisions as decisions
set
    realised_leads_7d = changed.realised_leads_7d,
    realised_leads_14d = changed.realised_leads_14d
from changed
where decisions.id = changed.id
