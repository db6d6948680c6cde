-- Grain: one row about today.
-- Why: whether every active segment was evaluated, and if not, how far the morning came.
select
    count(*) as segments,
    count(*) filter (where not is_evaluated) as undecided,
    (
        select max(fetched_at) from channel_fetches
        where fetched_at >= (lead_today() - 7)::timestamp at time zone 'Europe/Amsterdam'
    ) as last_fetch,
    (select max(evaluated_at) from budget_decisions where decision_date >= lead_today() - 7) as last_evaluation
from (
    select
        exists (
            select 1
            from budget_decisions as decisions
            where
                decisions.segment_id = segments.id
                and decisions.channel = %(channel)s
                and decisions.decision_date = lead_today()
        ) as is_evaluated
    from lead_segments as segments
    where segments.is_active
) as today
