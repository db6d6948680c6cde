-- Grain: one channel, week and action with decisions whose seven days touch the window.
-- Why: how often decisions were right is asked every day of half a year, and changes only where outcomes are filled in. A week is counted
-- as a whole, because what was made of a decision is known days later; one that lost its last decision of an action keeps a row of zeros.
with counted as (
    select
        channel,
        date_trunc('week', decision_date::timestamp)::date as week,
        made as action,
        count(*) as decisions,
        count(*) filter (where is_judged) as judged,
        count(*) filter (where reverts.any_budget) as reverted,
        count(is_as_promised) as promises,
        count(*) filter (where is_as_promised) as promises_kept,
        count(is_nearer) as changes,
        count(*) filter (where is_nearer) as came_nearer,
        count(nearer_by_luck) as by_chance,
        coalesce(sum(nearer_by_luck), 0)::numeric as luck,
        coalesce(sum(nearer_by_luck * (1 - nearer_by_luck)), 0)::numeric as luck_variance,
        coalesce(sum(came - target) filter (where is_judged), 0) as leads_over_target,
        coalesce(sum(promised) filter (where is_as_promised is not null), 0) as leads_promised,
        coalesce(sum(came) filter (where is_as_promised is not null), 0) as leads_came
    from budget_outcomes as outcomes
    -- By a person, on that day (which makes the change a hold) or later.
    cross join lateral (
        select count(*) > 0 as any_budget
        from channel_orchestration_log as log
        inner join channel_orchestration_log as back on log.id = back.reverts
        where
            log.segment_id = outcomes.segment_id
            and log.channel = outcomes.channel
            and log.decision_date = outcomes.decision_date
            and log.kind = 'plan'
            and back.status = 'success'
    ) as reverts
    where
        came is not null
        and decision_date >= date_trunc('week', (%(first)s::date - 13)::timestamp)::date
        and decision_date < date_trunc('week', (%(last)s::date - 6)::timestamp)::date + 7
    group by 1, 2, 3
),

known as (
    select
        channel,
        week,
        action
    from outcome_weeks
    where
        week between date_trunc('week', (%(first)s::date - 13)::timestamp)::date
        and date_trunc('week', (%(last)s::date - 6)::timestamp)::date
)

insert into outcome_weeks (
    channel, week, action, decisions, judged, reverted, promises, promises_kept, changes, came_nearer, by_chance, luck, luck_variance,
    leads_over_target, leads_promised, leads_came
)
select
    coalesce(counted.channel, known.channel) as channel,
    coalesce(counted.week, known.week) as week,
    coalesce(counted.action, known.action) as action,
    coalesce(counted.decisions, 0),
    coalesce(counted.judged, 0),
    coalesce(counted.reverted, 0),
    coalesce(counted.promises, 0),
    coalesce(counted.promises_kept, 0),
    coalesce(counted.changes, 0),
    coalesce(counted.came_nearer, 0),
    coalesce(counted.by_chance, 0),
    round(coalesce(counted.luck, 0), 6),
    round(coalesce(counted.luck_variance, 0), 6),
    round(coalesce(counted.leads_over_target, 0), 4),
    round(coalesce(counted.leads_promised, 0), 4),
    round(coalesce(counted.leads_came, 0), 4)
from counted
full join known on counted.channel = known.channel and counted.week = known.week and counted.action = known.action
order by 1, 2, 3
on conflict (channel, week, action) do update
set
    decisions = excluded.decisions,
    judged = excluded.judged,
    reverted = excluded.reverted,
    promises = excluded.promises,
    promises_kept = excluded.promises_kept,
    changes = excluded.changes,
    came_nearer = excluded.came_nearer,
    by_chance = excluded.by_chance,
    luck = excluded.luck,
    luck_variance = excluded.luck_variance,
    leads_over_target = excluded.leads_over_target,
    leads_promised = excluded.leads_promised,
    leads_came = excluded.leads_came
