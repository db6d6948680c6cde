-- noqa: disable=all
-- Grain: one budget or campaign of the bound account, as the account's change history names it; `segment_id` NULL = of no segment.
-- Why: whose an edit was and whose a change that is not logged have to be the same; of several segments, the first by name.
select distinct on (named.resource)
    named.resource,
    sources.segment_id,
    segments.code
from channel_budgets as budgets
cross join lateral (
    values
    (budgets.budget_id),
    (format('customers/%%s/campaigns/%%s', budgets.account, budgets.campaign_id))
) as named (resource)
left join channel_sources as sources
    on
        budgets.channel = sources.channel
        and budgets.account = sources.account
        and budgets.campaign_id = sources.external_id
        and sources.is_active
left join lead_segments as segments on sources.segment_id = segments.id
where budgets.channel = %(channel)s and budgets.account = %(account)s
order by named.resource, segments.code
