-- Grain: one segment in one trial of the replay.
-- Why: the report's sums.
insert into backtest_results (
    run_id, trial, segment_id, date_from, date_to, tried, evaluations, kept, increases, decreases, differing, leads, wanted, target,
    spend, first_budget, last_budget, judged, held, missed_by
)
select
    %(dag_run_id)s,
    trial,
    segment_id,
    %(first)s,
    %(last)s,
    case when trial = 'changed' then %(tried)s end,
    evaluations,
    kept,
    increases,
    decreases,
    differing,
    leads,
    wanted,
    target,
    spend,
    first_budget,
    last_budget,
    judged,
    held,
    missed_by
from jsonb_populate_recordset(null::backtest_results, %(results)s)
order by segment_id, trial
