-- noqa: disable=all
-- Grain: an expression: whether the row `made` of the log, of the day `day`, the time `at` and the budget `budget`, may be reverted;
-- `reverts` is what undid it.
-- Why: what one click offers is the newest change of its budget, while it was not reverted.
{{ made }}.kind = 'plan'
and {{ made }}.status = 'success'
and reverts.id is null
and not exists (
    select
    from channel_orchestration_log as later
    where
        later.channel = {{ made }}.channel
        and later.external_id = {{ budget }}
        and later.decision_date >= {{ day }}
        and later.kind <> 'manual'
        and later.status = 'success'
        and later.created_at > {{ at }}
)
