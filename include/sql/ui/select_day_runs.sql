-- Grain: one row about one day, in JSON: the run that decided last, the run that fetched last, and the run whose question is open.
-- Why: "is today decided, and from what" with a link to each run.
select
    (
        select json_build_object('run_id', decisions.dag_run_id, 'decided_at', decisions.evaluated_at)
        from budget_decisions as decisions
        where decisions.decision_date = %(day)s::date and decisions.channel = %(channel)s
        order by decisions.evaluated_at desc
        limit 1
    )::text as run,
    (
        select json_build_object('run_id', fetches.dag_run_id, 'fetched_at', fetches.fetched_at)
        from channel_fetches as fetches
        where
            fetches.fetched_at >= %(day)s::timestamp at time zone 'Europe/Amsterdam'
            and fetches.fetched_at < (%(day)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
        order by fetches.fetched_at desc
        limit 1
    )::text as stats_run,
    (
        -- Not always the one that decided: a later run asks again about what still waits.
        select json_build_object('run_id', questions.dag_run_id)
        from approval_questions as questions
        where questions.question_date = %(day)s::date and questions.channel = %(channel)s and questions.recorded_at is null
        order by questions.asked_at desc
        limit 1
    )::text as asking
