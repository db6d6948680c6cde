-- outcome_weeks: how often decisions were right, counted once when outcomes are filled in, not at each question.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.outcome_weeks (
    channel text not null,
    week date not null,
    action text not null,
    decisions integer not null,
    judged integer not null,
    reverted integer not null default 0,
    promises integer not null,
    promises_kept integer not null,
    changes integer not null,
    came_nearer integer not null,
    by_chance integer not null,
    luck numeric(20, 6) not null,
    luck_variance numeric(20, 6) not null,
    leads_over_target numeric(20, 4) not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (channel, week, action),
    constraint outcome_weeks_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint outcome_weeks_week_check check (extract(isodow from week) = 1),
    constraint outcome_weeks_action_check check (action in ('increase', 'decrease', 'hold')),
    constraint outcome_weeks_counts_check check (
        0 <= judged and judged <= decisions and 0 <= reverted and reverted <= decisions
        and 0 <= promises_kept and promises_kept <= promises and promises <= judged
        and 0 <= came_nearer and came_nearer <= changes and changes <= judged
        and 0 <= by_chance and by_chance <= changes
    )
);

comment on table public.outcome_weeks is
'One row per channel, week and action: counts and sums of budget_outcomes of the decisions whose seven days are over. Filled with them.';
comment on column public.outcome_weeks.week is 'The Monday of the week of the decisions.';
comment on column public.outcome_weeks.action is 'What happened to the budget: increase, decrease or hold.';
comment on column public.outcome_weeks.reverted is 'How many a person reverted, on the same day (then it is a hold) or later.';
comment on column public.outcome_weeks.promises is 'Of the judged decisions, how many promised a range of leads.';
comment on column public.outcome_weeks.promises_kept is 'Of the promises, how many came within their range.';
comment on column public.outcome_weeks.changes is 'Of the judged decisions, how many changed the budget.';
comment on column public.outcome_weeks.came_nearer is
'Of the changes, how many brought leads nearer to the target than if left alone.';
comment on column public.outcome_weeks.by_chance is 'Of the changes, how many have a known chance of that without any effect.';
comment on column public.outcome_weeks.luck is 'Sum of those chances: how many would have come nearer by luck alone.';
comment on column public.outcome_weeks.luck_variance is 'Sum of chance × (1 − chance).';
comment on column public.outcome_weeks.leads_over_target is 'Of the judged decisions, the sum of leads per day − target.';

-- Triggers -------------------------------------------------------------------------------------------------------------

create trigger a_skip_unchanged before update on public.outcome_weeks
for each row execute function suppress_redundant_updates_trigger();
create trigger set_updated_at before update on public.outcome_weeks
for each row execute function private.set_updated_at();

-- Row level security: signed-in users read; the pipeline keeps the counts -----------------------------------------------

alter table public.outcome_weeks enable row level security;
revoke all on public.outcome_weeks from public, anon, authenticated, service_role, lead_pipeline;

grant select on public.outcome_weeks to authenticated, service_role;
create policy signed_in_users_read on public.outcome_weeks
for select to authenticated using (true);

grant select, insert, update (
    decisions, judged, reverted, promises, promises_kept, changes, came_nearer, by_chance, luck, luck_variance, leads_over_target
) on public.outcome_weeks to lead_pipeline;
create policy pipeline_reads on public.outcome_weeks
for select to lead_pipeline using (true);
create policy pipeline_inserts_past_weeks on public.outcome_weeks
for insert to lead_pipeline with check (week < (select public.lead_today()));
create policy pipeline_updates_past_weeks on public.outcome_weeks
for update to lead_pipeline
using (week < (select public.lead_today())) with check (week < (select public.lead_today()));

-- View (invoker: the policies of the reader apply) --------------------------------------------------------------------

create view public.how_often_right
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
        round(sum(leads_over_target) / nullif(sum(judged), 0), 2) as leads_over_target
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
    leads_over_target
from weighed;

comment on view public.how_often_right is
'One row per action (increase, decrease, hold) over half a year, week "all", then by week: how often decisions were right.';
comment on column public.how_often_right.reverted is 'How many a person reverted, on the same day (then it is a hold) or later.';
comment on column public.how_often_right.as_promised_pct is 'How many came within what was promised: near 80 where promises are honest.';
comment on column public.how_often_right.nearer_pct is 'Of the changes, how many brought leads nearer to the target.';
comment on column public.how_often_right.nearer_by_luck_pct is 'How many would have come nearer by luck.';
comment on column public.how_often_right.chance_of_luck_pct is
'The chance that as many, or more, would have come nearer had no change done anything.';
comment on column public.how_often_right.leads_over_target is 'Mean of leads per day − target.';

revoke all on public.how_often_right from public, anon, authenticated, service_role;
grant select on public.how_often_right to authenticated, service_role, lead_pipeline;

-- What there is already ------------------------------------------------------------------------------------------------

insert into public.outcome_weeks (
    channel, week, action, decisions, judged, promises, promises_kept, changes, came_nearer, by_chance, luck, luck_variance,
    leads_over_target
)
select
    channel,
    date_trunc('week', decision_date::timestamp)::date as week,
    made as action,
    count(*) as decisions,
    count(*) filter (where is_judged) as judged,
    count(is_as_promised) as promises,
    count(*) filter (where is_as_promised) as promises_kept,
    count(is_nearer) as changes,
    count(*) filter (where is_nearer) as came_nearer,
    count(nearer_by_luck) as by_chance,
    coalesce(sum(nearer_by_luck), 0) as luck,
    coalesce(sum(nearer_by_luck * (1 - nearer_by_luck)), 0) as luck_variance,
    coalesce(sum(came - target) filter (where is_judged), 0) as leads_over_target
from public.budget_outcomes
where came is not null
group by 1, 2, 3
order by 1, 2, 3;
