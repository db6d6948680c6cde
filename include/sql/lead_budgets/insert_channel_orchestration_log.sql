-- Grain: one change of one budget, claimed before it is sent; gives back what was claimed.
-- Why: the claim is unique per budget, day and kind, so no retry and no second scheduler ever sends a second change. A group of which
-- any budget has another change open, or had its change of this kind today, is left out as a whole.
with wanted as (
    select claim.*
    from jsonb_to_recordset(%(claims)s) as claim (
        place integer, claim_group integer, segment_id uuid, channel text, account text, budget_id text, action_type text,
        old_value numeric, new_value numeric, kind text, decision_id uuid, reverts uuid, dag_run_id text, decided_by text
    )
),

taken as (
    select wanted.claim_group
    from wanted
    inner join channel_orchestration_log as log
        on
            wanted.channel = log.channel
            and wanted.budget_id = log.external_id
            and log.status = 'pending'
            and log.kind <> 'manual'
    union
    select wanted.claim_group
    from wanted
    inner join channel_orchestration_log as log
        on
            wanted.channel = log.channel
            and wanted.budget_id = log.external_id
            and wanted.kind = log.kind
            and log.decision_date = lead_today()
            and log.kind <> 'manual'
)

insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, account, external_id, decision_id, dag_run_id,
    kind, reverts, decided_by
)
select
    segment_id,
    channel,
    action_type,
    old_value,
    new_value,
    account,
    budget_id,
    decision_id,
    dag_run_id,
    kind,
    reverts,
    decided_by
from wanted
where not exists (
    select 1
    from taken
    where taken.claim_group = wanted.claim_group
)
order by place
on conflict do nothing
returning id, segment_id, external_id as budget_id, created_at as claimed_at
