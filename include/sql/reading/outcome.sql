-- noqa: disable=all
-- Grain: what came of the decision with the id `decision`, in JSON: leads per day of its seven days, and the verdict.
-- Why: the badge of a change, its words and how often decisions were right are one rule: that of the view budget_outcomes.
select
    json_build_object(
        'verdict', outcomes.verdict,
        'is_as_promised', outcomes.is_as_promised,
        'promised', trim_scale(round(outcomes.promised, 4)),
        'alone', trim_scale(round(outcomes.alone, 4)),
        'came', trim_scale(round(outcomes.came, 4)),
        'target', trim_scale(round(outcomes.target, 4)),
        -- Its seven days are not over, and it is known already that nobody will be able to say which change did it.
        'is_followed', outcomes.came is null
        and outcomes.made <> 'hold'
        and exists (
            select
            from channel_orchestration_log as further
            where
                further.segment_id = outcomes.segment_id
                and further.channel = outcomes.channel
                and further.status = 'success'
                and further.decision_date between outcomes.decision_date + 1 and outcomes.decision_date + 6
        )
    ) as told,
    outcomes.verdict
from budget_outcomes as outcomes
where outcomes.decision_id = {{ decision }}
-- Looked up, row by row.
limit 1
