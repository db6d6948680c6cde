-- Grain: one change that took effect, by its id or by its day.
-- Why: what a revert would change, and what of it was reverted already; the claim itself is refused by Postgres unless it is the exact
-- opposite of the row.
select
    log.id as reverts,
    log.segment_id,
    segments.code as segment,
    log.channel,
    log.account,
    log.external_id as budget_id,
    log.new_value as old_value,
    log.old_value as new_value,
    limits.max_daily_budget,
    in_force.amount - log.new_value + log.old_value as segment_budget,
    earlier.status as revert_status,
    earlier.decision_date as revert_date,
    earlier.dag_run_id as revert_run
from channel_orchestration_log as log
inner join lead_segments as segments on log.segment_id = segments.id
left join lead_segment_channels as limits on log.segment_id = limits.segment_id and log.channel = limits.channel
left join lateral (
    select
        again.status,
        again.decision_date,
        again.dag_run_id
    from channel_orchestration_log as again
    where again.reverts = log.id
    order by again.created_at desc
    limit 1
) as earlier on true
left join (
    {% include 'reading/in_force.sql' %}
) as in_force on log.segment_id = in_force.segment_id
where
    log.channel = %(channel)s
    and log.status = 'success'
    and log.kind = 'plan'
    and (log.id = %(log_id)s::uuid or log.decision_date = %(day)s::date)
order by log.account, log.external_id
