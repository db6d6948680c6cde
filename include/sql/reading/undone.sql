-- noqa: disable=all
-- Grain: the revert of the log's row with the id `change`, if it was reverted.
-- Why: what the tables that grow say of a row is looked up, row by row.
select
    undone.id,
    undone.closed_at,
    undone.decided_by
from channel_orchestration_log as undone
where undone.reverts = {{ change }} and undone.status = 'success'
order by undone.id
limit 1
