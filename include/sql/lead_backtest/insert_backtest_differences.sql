-- Grain: one segment on one morning on which two trials differ.
-- Why: which decisions would have been others.
insert into backtest_differences (
    run_id, segment_id, date, decided_action, decided_budget, today_action, today_budget, changed_action, changed_budget
)
select
    %(dag_run_id)s,
    segment_id,
    date,
    decided_action,
    decided_budget,
    today_action,
    today_budget,
    changed_action,
    changed_budget
from jsonb_populate_recordset(null::backtest_differences, %(differences)s)
order by segment_id, date
