-- budget_outcomes.verdict: whether a change helped, said once for the page, the log, `make history` and how_often_right.

set local lock_timeout = '5s';

create or replace view public.budget_outcomes
with (security_invoker = true) as
with decided as (
    select
        d.id as decision_id,
        d.segment_id,
        d.channel,
        d.decision_date,
        d.action as decided,
        d.old_budget,
        d.realised_leads_7d as came,
        -- Seven days are judged by what was expected of the week, not of the one weekday of the decision.
        coalesce((d.inputs ->> 'target_week')::numeric, d.target_leads_per_day) as target,
        coalesce((d.inputs ->> 'expected_week')::numeric, d.expected_leads_per_day) as alone,
        coalesce((d.inputs ->> 'expected_after')::numeric, d.expected_leads_per_day) as after_change,
        (d.expected_high - d.expected_low) / 2
        * coalesce((d.inputs ->> 'expected_week')::numeric / nullif(d.expected_leads_per_day, 0), 1) as half_width,
        case when made.is_made then d.new_budget else d.old_budget end as in_force,
        made.is_made
    from public.budget_decisions as d
    cross join lateral (
        -- Made as a whole and still in force: what was put back before the day was over changed nothing.
        select
            count(*) > 0
            and bool_and(
                l.status = 'success'
                and not exists (
                    select from public.channel_orchestration_log as r
                    where r.reverts = l.id and r.status = 'success' and r.decision_date = l.decision_date
                )
            ) as is_made
        from public.channel_orchestration_log as l
        where l.segment_id = d.segment_id and l.decision_date = d.decision_date and l.channel = d.channel and l.kind = 'plan'
    ) as made
    where not d.is_blocked
),

judged as (
    select
        decided.*,
        case when is_made then after_change else alone end as promised,
        -- Standard deviations: of what was expected, and of the counts of seven days.
        sqrt((half_width / 1.2816) ^ 2 + alone / 7) as deviation,
        came is not null
        and alone is not null
        and target is not null
        -- One change and seven days: with a second one nobody can say which of them did it.
        and not exists (
            select from public.channel_orchestration_log as l
            where
                l.segment_id = decided.segment_id
                and l.channel = decided.channel
                and l.decision_date between decided.decision_date and decided.decision_date + 6
                and l.status = 'success'
                and (l.kind <> 'plan' or l.decision_date > decided.decision_date)
                and not (decided.decision_date = l.decision_date and l.kind = 'revert' and not decided.is_made)
        )
        -- Nor by hand in the account: each of the next mornings found the budget that this one left.
        and not exists (
            select from public.budget_decisions as n
            where
                n.segment_id = decided.segment_id
                and n.channel = decided.channel
                and n.decision_date between decided.decision_date + 1 and decided.decision_date + 6
                and n.old_budget <> decided.in_force
        ) as is_judged
    from decided
)

select
    j.decision_id,
    j.segment_id,
    j.channel,
    j.decision_date,
    j.decided,
    case when j.is_made then j.decided else 'hold' end as made,
    j.old_budget,
    j.in_force,
    j.target,
    j.alone,
    j.promised,
    j.came,
    j.is_judged,
    case
        when j.is_judged
            then abs(j.came - j.promised) <= 1.2816 * sqrt((j.half_width / 1.2816) ^ 2 + j.promised / 7)
    end as is_as_promised,
    case when j.is_judged and j.is_made then abs(j.came - j.target) < abs(j.alone - j.target) end as is_nearer,
    case
        when j.is_judged and j.is_made
            then private.normal_cdf((2 * abs(j.target - j.alone) / nullif(j.deviation, 0))::double precision) - 0.5
    end as nearer_by_luck,
    case
        when not j.is_made or j.came is null or j.alone is null or j.target is null then null
        when not j.is_judged then 'unclear'
        when abs(j.came - j.target) >= abs(j.alone - j.target) then 'not_nearer'
        -- A tenth of the target, and what chance does to the counts of seven days.
        when abs(j.came - j.target) <= 0.1 * j.target + 1.2816 * sqrt(j.target / 7) then 'on_target'
        else 'nearer'
    end as verdict
from judged as j;

comment on column public.budget_outcomes.verdict is
'Of a change whose seven days are over: on_target or nearer (both is_nearer), not_nearer, or unclear where it is not judged.';
