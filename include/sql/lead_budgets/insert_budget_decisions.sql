-- Grain: one evaluation of one segment today, holds included.
-- Why: the first one owns the day; a segment that is still blocked for the same reasons is not told twice.
insert into budget_decisions (
    segment_id, channel, dag_run_id, action, is_blocked, is_dry_run, old_budget, new_budget,
    target_leads_per_day, expected_leads_per_day, expected_low, expected_high, reasons, sentence, inputs
)
select
    planned.segment_id,
    %(channel)s,
    %(dag_run_id)s,
    planned.action,
    planned.is_blocked,
    %(dry_run)s,
    planned.old_budget,
    planned.new_budget,
    planned.target_leads_per_day,
    planned.expected_leads_per_day,
    planned.expected_low,
    planned.expected_high,
    planned.reasons,
    planned.sentence,
    planned.inputs
from planned
where
    not exists (
        select 1
        from budget_decisions as earlier
        where
            earlier.segment_id = planned.segment_id
            and earlier.channel = %(channel)s
            and earlier.decision_date = lead_today()
            and (
                not earlier.is_blocked
                or (planned.is_blocked and earlier.reasons = planned.reasons and earlier.sentence = planned.sentence)
            )
    )
order by planned.segment_id
on conflict (segment_id, channel, decision_date) where not is_blocked do nothing
