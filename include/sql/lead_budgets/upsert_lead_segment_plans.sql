-- Grain: one segment's plan of today.
-- Why: shows what was decided; a target set by an admin stays, and a plan that already says so is not rewritten.
insert into lead_segment_plans (
    segment_id, date, target_leads_per_day, expected_leads_per_day,
    target_daily_budget_google_ads, actual_daily_budget_google_ads, orchestration_status
)
select
    planned.segment_id,
    lead_today(),
    round(planned.target_leads_per_day),
    round(planned.expected_leads_per_day),
    planned.new_budget,
    planned.old_budget,
    case
        when planned.is_blocked then 'held'
        when %(dry_run)s then 'dry_run'
        when planned.needs_approval then 'waiting_approval'
        else 'planned'
    end
from planned
where
    exists (
        select 1
        from budget_decisions as decisions
        where
            decisions.segment_id = planned.segment_id
            and decisions.channel = %(channel)s
            and decisions.decision_date = lead_today()
            and decisions.dag_run_id = %(dag_run_id)s
            and decisions.is_blocked = planned.is_blocked
    )
order by planned.segment_id
on conflict (segment_id, date) do update
set
    target_leads_per_day = case
        when lead_segment_plans.target_source = 'admin' then lead_segment_plans.target_leads_per_day
        else excluded.target_leads_per_day
    end,
    expected_leads_per_day = excluded.expected_leads_per_day,
    target_daily_budget_google_ads = excluded.target_daily_budget_google_ads,
    actual_daily_budget_google_ads = excluded.actual_daily_budget_google_ads,
    orchestration_status = excluded.orchestration_status
where
    lead_segment_plans.orchestration_status in ('planned', 'held')
    and (
        lead_segment_plans.expected_leads_per_day, lead_segment_plans.target_daily_budget_google_ads,
        lead_segment_plans.actual_daily_budget_google_ads, lead_segment_plans.orchestration_status
    ) is distinct from (
        excluded.expected_leads_per_day, excluded.target_daily_budget_google_ads,
        excluded.actual_daily_budget_google_ads, excluded.orchestration_status
    )
