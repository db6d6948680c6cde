-- noqa: disable=all
-- Grain: one increase of today that was claimed or made, by the pipeline, on the bound channel.
-- Why: it takes room below the limits that several budgets share, until it is in force.
select
    log.segment_id,
    log.kind,
    log.status,
    log.new_value - log.old_value as step
from channel_orchestration_log as log
where
    log.channel = %(channel)s
    and log.decision_date = lead_today()
    and log.status in ('pending', 'success')
    and log.kind <> 'manual'
    and log.new_value > log.old_value
    -- A pending row that no decision covers, nor the change that it reverts, is never sent and takes no room.
    and (
        log.status = 'success'
        or log.new_value - log.old_value <= (
            select decisions.new_budget - decisions.old_budget
            from budget_decisions as decisions
            where decisions.id = log.decision_id
        )
        or log.new_value = (
            select reverted.old_value
            from channel_orchestration_log as reverted
            where reverted.id = log.reverts
        )
    )
