-- Grain: a JSON list, one entry per run of lead_budgets that decided something in the last seven days, newest first.
-- Why: whether each morning was decided, and how many segments it could not decide.
select
    coalesce(
        json_agg(
            json_build_object(
                'dag_run_id', runs.dag_run_id,
                'started', runs.started,
                'n', runs.n,
                'blocked', runs.blocked,
                'decision_date', runs.decision_date
            )
            order by runs.started desc
        ),
        '[]'
    )::text as budget_runs
from (
    select
        decisions.dag_run_id,
        min(decisions.evaluated_at) as started,
        count(*) as n,
        count(*) filter (where decisions.is_blocked) as blocked,
        max(decisions.decision_date) as decision_date
    from budget_decisions as decisions
    where
        decisions.dag_run_id is not null
        and decisions.decision_date between %(day)s::date - 6 and %(day)s::date
    group by decisions.dag_run_id
    order by min(decisions.evaluated_at) desc
    limit 30
) as runs
