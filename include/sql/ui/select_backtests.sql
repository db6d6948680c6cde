-- Grain: a JSON list, one entry per backtest of the last three, newest first, with one entry per trial; of the newest also the segments
-- whose budget its last trial moves farthest from the trial before.
-- Why: what other settings would have decided, as `make backtest` prints it.
with recursive reports as (
    (
        select
            replayed_at,
            run_id,
            1 as place
        from backtest_results
        order by replayed_at desc, run_id desc
        limit 1
    )
    union all
    select
        earlier.replayed_at,
        earlier.run_id,
        reports.place + 1
    from reports
    cross join lateral (
        select
            results.replayed_at,
            results.run_id
        from backtest_results as results
        where (results.replayed_at, results.run_id) < (reports.replayed_at, reports.run_id)
        order by results.replayed_at desc, results.run_id desc
        limit 1
    ) as earlier
    where reports.place < 3
),

sums as materialized (
    select
        reports.replayed_at,
        reports.run_id,
        results.trial,
        min(results.date_from) as date_from,
        max(results.date_to) as date_to,
        max(results.tried) as tried,
        count(*) filter (where results.evaluations > 0) as segments,
        sum(results.evaluations) as evaluations,
        sum(results.kept) as kept,
        sum(results.increases + results.decreases) as changes,
        sum(results.differing) as differing,
        sum(results.leads)::numeric as leads,
        sum(results.wanted)::numeric as wanted,
        sum(results.target)::numeric as target,
        sum(results.spend)::numeric as spend,
        sum(results.judged) as judged,
        sum(results.held) as held,
        sum(results.missed_by)::numeric as missed_by
    from reports
    inner join backtest_results as results on reports.run_id = results.run_id and reports.replayed_at = results.replayed_at
    group by reports.replayed_at, reports.run_id, results.trial
),

told as (
    select
        replayed_at,
        run_id,
        min(date_from) as date_from,
        max(date_to) as date_to,
        max(segments) as segments,
        max(evaluations) as evaluations,
        max(kept) as kept,
        max(tried) as tried,
        json_agg(
            json_build_object(
                'trial', trial,
                'changes', round(30.0 * changes / nullif(evaluations, 0), 2),
                'leads', round(leads / nullif(evaluations, 0), 2),
                'wanted', round(wanted / nullif(evaluations, 0), 2),
                'filled_pct', round(100 * wanted / nullif(target, 0), 2),
                'spend', round(spend / nullif(evaluations, 0), 2),
                'per_lead', round(spend / nullif(wanted, 0), 2),
                'differing', case when trial <> 'decided' then differing end,
                'held_pct', round(100.0 * held / nullif(judged, 0), 2),
                'missed_by', round(missed_by / nullif(judged, 0), 2)
            )
            order by array_position(array['decided', 'today', 'changed'], trial)
        ) as trials
    from sums
    group by replayed_at, run_id
),

moves as (
    select
        segments.code,
        segments.branch,
        segments.region,
        trim_scale(round(one.last_budget::numeric, 2)) as one_budget,
        trim_scale(round(other.last_budget::numeric, 2)) as other_budget
    from (
        select
            replayed_at,
            run_id,
            tried
        from told
        order by replayed_at desc, run_id desc
        limit 1
    ) as newest
    inner join backtest_results as one
        on
            newest.run_id = one.run_id
            and newest.replayed_at = one.replayed_at
            and one.trial = case when newest.tried is null then 'decided' else 'today' end
    inner join backtest_results as other
        on
            one.run_id = other.run_id
            and one.replayed_at = other.replayed_at
            and one.segment_id = other.segment_id
            and other.trial = case when newest.tried is null then 'today' else 'changed' end
    inner join lead_segments as segments on one.segment_id = segments.id
    where one.last_budget <> other.last_budget
    order by abs(other.last_budget - one.last_budget) desc, segments.code
    limit 8
)

select
    coalesce(
        json_agg(
            json_build_object(
                'run_id', told.run_id,
                'replayed_at', told.replayed_at,
                'from', told.date_from,
                'to', told.date_to,
                'segments', told.segments,
                'evaluations', told.evaluations,
                'kept', told.kept,
                'tried', told.tried,
                'trials', told.trials
            )
            order by told.replayed_at desc, told.run_id desc
        ),
        '[]'
    )::text as backtests,
    (
        select
            coalesce(
                json_agg(
                    json_build_object(
                        'segment', moves.code,
                        'branch', moves.branch,
                        'region', moves.region,
                        'from', moves.one_budget,
                        'to', moves.other_budget
                    )
                    order by abs(moves.other_budget - moves.one_budget) desc, moves.code
                ),
                '[]'
            )
        from moves
    )::text as backtest_moves
from told
