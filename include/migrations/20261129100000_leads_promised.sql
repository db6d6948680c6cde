-- how_often_right.came_of_promised_pct: whether what is expected is too much or too little on the whole, which a share of kept promises
-- does not tell.

set local lock_timeout = '5s';

-- Columns --------------------------------------------------------------------------------------------------------------

alter table public.outcome_weeks
add column leads_promised numeric(20, 4) not null default 0,
add column leads_came numeric(20, 4) not null default 0;

comment on column public.outcome_weeks.leads_promised is
'Of the judged decisions, the sum of the leads per day that were promised; 0 in weeks counted before this was kept.';
comment on column public.outcome_weeks.leads_came is 'And of the leads per day that came.';

grant update (leads_promised, leads_came) on public.outcome_weeks to lead_pipeline;

-- View (invoker: the policies of the reader apply) --------------------------------------------------------------------

create or replace view public.how_often_right
with (security_invoker = true) as
with counted as (
    select
        week,
        action,
        sum(decisions) as decisions,
        sum(judged) as judged,
        sum(reverted) as reverted,
        sum(promises_kept)::numeric / nullif(sum(promises), 0) as as_promised,
        sum(came_nearer)::numeric / nullif(sum(changes), 0) as nearer,
        case when sum(changes) > 0 then sum(came_nearer) end as came_nearer,
        sum(luck) / nullif(sum(by_chance), 0) as by_luck,
        case when sum(by_chance) > 0 then sum(luck) end as luck,
        case when sum(by_chance) > 0 then sum(luck_variance) end as luck_variance,
        round(sum(leads_over_target) / nullif(sum(judged), 0), 2) as leads_over_target,
        sum(leads_came) / nullif(sum(leads_promised), 0) as came_of_promised
    from public.outcome_weeks
    where week >= date_trunc('week', (public.lead_today() - 182)::timestamp)::date and decisions > 0
    group by grouping sets ((action), (week, action))
),

-- The chance that as many would have come nearer, or more, had none of the changes done anything; as if no season moved several
-- segments at once, so a single week says little.
weighed as (
    select
        counted.*,
        1 - private.normal_cdf(((came_nearer - 0.5 - luck) / nullif(sqrt(luck_variance), 0))::double precision) as chance_of_luck
    from counted
)

select
    coalesce(week::text, 'all') as week,
    action,
    decisions,
    judged,
    reverted,
    -- Near 80 where the promises are honest.
    round(100 * as_promised) as as_promised_pct,
    round(100 * nearer) as nearer_pct,
    round(100 * by_luck) as nearer_by_luck_pct,
    round((100 * chance_of_luck)::numeric, 1) as chance_of_luck_pct,
    case
        when chance_of_luck < 0.05 then 'better than luck'
        when chance_of_luck > 0.95 then 'worse than luck'
        when chance_of_luck is not null then 'no better than luck'
    end as verdict,
    leads_over_target,
    round(100 * came_of_promised) as came_of_promised_pct
from weighed;

comment on column public.how_often_right.came_of_promised_pct is
'Leads that came, of those that were promised, over all judged decisions: 100 = neither too much nor too little.';
