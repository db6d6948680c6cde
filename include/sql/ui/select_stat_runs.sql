-- Grain: a JSON list, one entry per run of lead_stats that fetched something in the last 14 days, newest first.
-- Why: when data came, how much of it, and a link to the run.
select
    coalesce(
        json_agg(
            json_build_object(
                'dag_run_id', runs.dag_run_id,
                'started', runs.started,
                'ended', runs.ended,
                'n', runs.n,
                'rows', runs.row_count,
                'day', runs.day
            )
            order by runs.started desc
        ),
        '[]'
    )::text as stat_runs
from (
    select
        fetches.dag_run_id,
        min(fetches.fetched_at) as started,
        max(fetches.fetched_at) as ended,
        count(*) as n,
        sum(fetches.row_count) as row_count,
        max(fetches.date_to) as day
    from channel_fetches as fetches
    where
        fetches.dag_run_id is not null
        and fetches.fetched_at >= (%(day)s::date - 13)::timestamp at time zone 'Europe/Amsterdam'
        and fetches.fetched_at < (%(day)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
    group by fetches.dag_run_id
    order by min(fetches.fetched_at) desc
    limit 30
) as runs
