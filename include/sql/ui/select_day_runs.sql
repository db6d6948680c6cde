-- Grain: one row about one day, in JSON: the run that decided last, and the run that fetched last.
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
    )::text as stats_run
