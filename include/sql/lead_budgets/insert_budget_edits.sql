-- Grain: one edit of a budget in the account's change history that is not ours.
-- Why: what is inferred from two mornings' budgets loses who, when and the amounts of all but the last; the history has each. One that is
-- known already stays as it was first read.
insert into budget_edits (channel, account, budget_id, edited_at, segment_id, edited_by, old_value, new_value, dag_run_id)
select distinct on (given.resource, given.at)
    %(channel)s::text,
    %(account)s::text,
    given.resource,
    given.at,
    owners.segment_id,
    given.by,
    given.old_value,
    given.new_value,
    %(dag_run_id)s::text
from jsonb_to_recordset(%(changes)s::jsonb) as given (
    resource text,
    at timestamptz,
    by text,
    is_ours boolean,
    old_value numeric,
    new_value numeric
)
inner join (
    {% include 'reading/edited_budgets.sql' %}
) as owners on given.resource = owners.resource
where
    not given.is_ours
    and given.new_value >= 0
    and given.new_value < 100000000
    and (given.old_value is null or (given.old_value >= 0 and given.old_value < 100000000))
order by given.resource, given.at
on conflict (channel, account, budget_id, edited_at) do nothing
