-- Grain: one budget of a segment whose change of today was decided and not yet claimed.
-- Why: a segment may own several budgets; each gets a claim and a log row of its own.
select
    decisions.id as decision_id,
    decisions.segment_id,
    decisions.old_budget,
    decisions.new_budget,
    budgets.account,
    budgets.budget_id,
    budgets.amount
from budget_decisions as decisions
inner join lead_segment_plans as plans
    on decisions.segment_id = plans.segment_id and decisions.decision_date = plans.date
inner join (
    select distinct
        sources.segment_id,
        found.account,
        found.budget_id,
        found.amount
    from channel_sources as sources
    inner join channel_budgets as found
        on
            sources.channel = found.channel
            and sources.account = found.account
            and sources.external_id = found.campaign_id
    where sources.channel = %(channel)s and sources.is_active
) as budgets on decisions.segment_id = budgets.segment_id
where
    decisions.channel = %(channel)s
    and decisions.decision_date = lead_today()
    and decisions.action = %(action)s
    and not decisions.is_blocked
    and not decisions.is_dry_run
    and plans.orchestration_status = 'planned'
    and not exists (select 1 from channel_orchestration_log as log where log.decision_id = decisions.id)
order by decisions.segment_id, budgets.budget_id
