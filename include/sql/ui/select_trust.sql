-- Grain: one row, in JSON: over half a year, how many changes came nearer to the target, and how many weeks without one came as expected.
-- Why: whether the planner can be trusted, in one sentence beside what it asks for. The same weeks as the view how_often_right.
select
    json_build_object(
        'changes', coalesce(sum(changes), 0),
        'nearer', coalesce(sum(came_nearer), 0),
        'by_luck', trim_scale(round(sum(luck) filter (where by_chance > 0), 1)),
        'weeks', coalesce(sum(promises) filter (where action = 'hold'), 0),
        'kept', coalesce(sum(promises_kept) filter (where action = 'hold'), 0)
    )::text as trust
from outcome_weeks
where week >= date_trunc('week', (lead_today() - 182)::timestamp)::date and channel = %(channel)s
