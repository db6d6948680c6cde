-- noqa: disable=all
-- Grain: one budget of a segment on the bound channel that may cost something today, as it was last read.
-- Why: what is in force is asked when a change is claimed, when it is sent, when it is reverted and when the plan is brought up to date:
-- it has to be the same question. Of active segments, unless `any_segment` is set.
select
    sources.segment_id,
    budgets.account,
    budgets.budget_id,
    budgets.amount,
    bool_or(budgets.is_budget_limited) as is_budget_limited
from channel_sources as sources
{%- if not any_segment | default(false) %}
inner join lead_segments as active_segments on sources.segment_id = active_segments.id and active_segments.is_active
{%- endif %}
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
group by sources.segment_id, budgets.account, budgets.budget_id, budgets.amount
