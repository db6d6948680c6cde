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
    -- Of a budget that several segments share, the first by name.
    select distinct on (budgets.budget_id)
        budgets.budget_id,
        sources.segment_id
    from channel_budgets as budgets
    left join channel_sources as sources
        on
            budgets.channel = sources.channel
            and budgets.account = sources.account
            and budgets.campaign_id = sources.external_id
            and sources.is_active
    left join lead_segments as segments on sources.segment_id = segments.id
    where budgets.channel = %(channel)s and budgets.account = %(account)s
    order by budgets.budget_id, segments.code
) as owners on given.resource = owners.budget_id
where
    not given.is_ours
    and given.new_value >= 0
    and given.new_value < 100000000
    and (given.old_value is null or (given.old_value >= 0 and given.old_value < 100000000))
order by given.resource, given.at
on conflict (channel, account, budget_id, edited_at) do nothing
