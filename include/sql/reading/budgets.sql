-- noqa: disable=all
-- Grain: one budget of an active segment on the bound channel that may cost something today, as it was last read.
-- Why: what is in force is asked when a change is claimed, and again when it is sent: it has to be the same question.
select distinct
    sources.segment_id,
    budgets.budget_id,
    budgets.amount
from channel_sources as sources
inner join lead_segments as segments on sources.segment_id = segments.id and segments.is_active
inner join channel_budgets as budgets
    on
        sources.channel = budgets.channel
        and sources.account = budgets.account
        and sources.external_id = budgets.campaign_id
where
    sources.channel = %(channel)s
    and sources.is_active
    and lead_today() between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
    and budgets.is_serving
