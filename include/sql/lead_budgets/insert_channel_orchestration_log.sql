-- Grain: one change of one budget, claimed before it is sent.
-- Why: the claim is unique per budget, day and kind, so no retry and no second scheduler ever sends a second change.
insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, account, external_id, decision_id, dag_run_id,
    kind, reverts, decided_by
)
values (
    %(segment_id)s, %(channel)s, %(action_type)s, %(old_value)s, %(new_value)s, %(account)s, %(budget_id)s,
    %(decision_id)s, %(dag_run_id)s, %(kind)s, %(reverts)s, %(decided_by)s
)
on conflict do nothing
returning id
