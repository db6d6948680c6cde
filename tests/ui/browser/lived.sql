-- Thirty mornings before this one, and a company of some 70 segments, around one morning that was really decided.
-- Why: the page tells of what came of changes; living that long takes minutes, so rows are written as somebody who restores a dump
-- (no trigger is asked). Amounts, sides and reasons of the past follow from today's real decisions, which each segment leads up to.
set session_replication_role = replica;

-- More segments: every branch in every region, each a real one's figures at another size ----------------------------------

create temporary table copies as
select
    source.id as source_id,
    gen_random_uuid() as id,
    branches.branch || '_' || replace(regions.region, '-', '_') as code,
    branches.branch,
    regions.region,
    0.6 + (abs(hashtext(branches.branch || regions.region)) % 90) / 100.0 as size,
    row_number() over (order by branches.branch, regions.region) as place
from (values ('dakdekker'), ('schilder'), ('stukadoor'), ('glaszetter'), ('loodgieter'), ('hovenier')) as branches (branch)
cross join (
    values ('drenthe'), ('flevoland'), ('friesland'), ('gelderland'), ('groningen'), ('limburg'), ('noord-brabant'),
    ('noord-holland'), ('overijssel'), ('utrecht'), ('zeeland'), ('zuid-holland')
) as regions (region)
cross join lateral (
    select segments.id
    from lead_segments as segments
    inner join budget_decisions as decisions on segments.id = decisions.segment_id and decisions.decision_date = lead_today()
    where segments.is_active
    order by hashtext(segments.code || branches.branch || regions.region)
    limit 1
) as source
where not exists (select from lead_segments as known where known.branch = branches.branch and known.region = regions.region);

insert into lead_segments (id, code, branch, region)
select id, code, branch, region from copies;

insert into lead_segment_channels (segment_id, channel, min_daily_budget, max_daily_budget, max_increase_pct, max_decrease_pct, cooldown_days, is_automated)
select
    copies.id, limits.channel, round(limits.min_daily_budget * copies.size), round(limits.max_daily_budget * copies.size),
    limits.max_increase_pct, limits.max_decrease_pct, limits.cooldown_days, limits.is_automated
from copies
inner join lead_segment_channels as limits on copies.source_id = limits.segment_id;

insert into channel_sources (channel, account, external_id, segment_id, description)
select sources.channel, sources.account, sources.external_id || copies.place, copies.id, sources.description
from copies
inner join channel_sources as sources on copies.source_id = sources.segment_id and sources.channel = 'google_ads';

insert into channel_budgets (
    channel, account, campaign_id, campaign_name, budget_id, amount, campaigns_on_budget, is_budget_limited, is_learning, is_serving,
    currency, time_zone, changed_at, changed_by, dag_run_id
)
select
    budgets.channel, budgets.account, budgets.campaign_id || copies.place, 'NL | ' || copies.code || ' | search',
    budgets.budget_id || copies.place, round(budgets.amount * copies.size, 2), 1, budgets.is_budget_limited, budgets.is_learning,
    budgets.is_serving, budgets.currency, budgets.time_zone, budgets.changed_at, budgets.changed_by, budgets.dag_run_id
from copies
inner join channel_sources as sources on copies.source_id = sources.segment_id and sources.channel = 'google_ads'
inner join channel_budgets as budgets
    on sources.account = budgets.account and sources.external_id = budgets.campaign_id and sources.channel = budgets.channel;

insert into lead_generation_stats (
    segment_id, date, leads_generated, leads_accepted, leads_rejected, leads_pending, google_ads_spend, google_ads_clicks,
    google_ads_impressions, seo_clicks, seo_visits, microsite_visits, microsite_leads, capacity_partners, capacity_total_leads
)
select
    copies.id, stats.date, round(stats.leads_generated * copies.size), floor(stats.leads_accepted * copies.size),
    floor(stats.leads_rejected * copies.size),
    round(stats.leads_generated * copies.size) - floor(stats.leads_accepted * copies.size) - floor(stats.leads_rejected * copies.size),
    round(stats.google_ads_spend * copies.size, 2), stats.google_ads_clicks, stats.google_ads_impressions, stats.seo_clicks,
    stats.seo_visits, stats.microsite_visits, stats.microsite_leads, stats.capacity_partners, round(stats.capacity_total_leads * copies.size)
from copies
inner join lead_generation_stats as stats on copies.source_id = stats.segment_id;

insert into lead_segment_plans (
    segment_id, date, target_leads_per_day, expected_leads_per_day, lead_gap, target_daily_budget_google_ads,
    actual_daily_budget_google_ads, orchestration_status, target_source
)
select
    copies.id, plans.date, round(plans.target_leads_per_day * copies.size), round(plans.expected_leads_per_day * copies.size),
    round(plans.lead_gap * copies.size), round(plans.target_daily_budget_google_ads * copies.size, 2),
    round(plans.actual_daily_budget_google_ads * copies.size, 2), plans.orchestration_status, plans.target_source
from copies
inner join lead_segment_plans as plans on copies.source_id = plans.segment_id;

insert into budget_decisions (
    segment_id, dag_run_id, evaluated_at, action, is_blocked, old_budget, new_budget, target_leads_per_day, expected_leads_per_day,
    expected_low, expected_high, reasons, sentence, inputs
)
select
    copies.id, decisions.dag_run_id, decisions.evaluated_at, decisions.action, decisions.is_blocked,
    round(decisions.old_budget * copies.size, 2), round(decisions.new_budget * copies.size, 2),
    round(decisions.target_leads_per_day * copies.size, 4), round(decisions.expected_leads_per_day * copies.size, 4),
    round(decisions.expected_low * copies.size, 4), round(decisions.expected_high * copies.size, 4), decisions.reasons, decisions.sentence,
    decisions.inputs || jsonb_build_object(
        'wanted_budget', round((decisions.inputs ->> 'wanted_budget')::numeric * copies.size, 2),
        'expected_after', round((decisions.inputs ->> 'expected_after')::numeric * copies.size, 4)
    )
from copies
inner join budget_decisions as decisions on copies.source_id = decisions.segment_id and decisions.decision_date = lead_today();

-- Their changes of this morning; a few wait for a person, one failed, one was reverted ------------------------------------

create temporary table moves as
select
    decisions.id as decision_id,
    decisions.segment_id,
    decisions.action,
    decisions.old_budget,
    decisions.new_budget,
    copies.code,
    row_number() over (partition by decisions.action order by decisions.new_budget - decisions.old_budget desc) as place
from copies
inner join budget_decisions as decisions on copies.id = decisions.segment_id
where decisions.action <> 'hold';

update lead_segment_plans as plans
set orchestration_status = 'waiting_approval'
from moves
where moves.action = 'increase' and moves.place <= 2 and plans.segment_id = moves.segment_id and plans.date = lead_today();

insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, status, account, external_id, decision_id, dag_run_id, created_at, closed_at,
    error_code, error_detail
)
select
    moves.segment_id, 'google_ads', 'budget_' || moves.action, moves.old_budget, moves.new_budget,
    case when moves.action = 'increase' and moves.place = 3 then 'failed' else 'success' end, 'copied', 'budget of ' || moves.code,
    moves.decision_id, %(run)s, now(), now(),
    case when moves.action = 'increase' and moves.place = 3 then 'changed_by_somebody_else' end,
    case when moves.action = 'increase' and moves.place = 3 then 'The live budget was not the amount that the decision began from.' end
from moves
where not (moves.action = 'increase' and moves.place <= 2);

insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, status, account, external_id, kind, reverts, dag_run_id, decided_by, closed_at
)
select
    log.segment_id, log.channel, 'budget_revert', log.new_value, log.old_value, 'success', log.account, log.external_id, 'revert', log.id,
    'manual__revert', 'anke', now()
from moves
inner join channel_orchestration_log as log on moves.decision_id = log.decision_id
where moves.action = 'decrease' and moves.place = 1;

update budget_decisions set dag_run_id = %(run)s where decision_date = lead_today();

-- Its question about the large increases is open.
insert into approval_questions (id, channel, dag_run_id, asked)
select gen_random_uuid(), 'google_ads', %(run)s, jsonb_agg(jsonb_build_object('segment', code)) from lead_segments;

-- Thirty mornings: a step every ninth day led to the budget of today --------------------------------------------------------

create temporary table today as
select
    decisions.*,
    segments.code,
    row_number() over (order by segments.code) as place,
    case when decisions.expected_leads_per_day < decisions.target_leads_per_day then 1.2 else 0.8 end as step,
    case row_number() over (order by segments.code) % 10
        when 3 then 'rejected' when 4 then 'expired' when 5 then 'reverted' when 6 then 'edited' else 'made'
    end as story
from budget_decisions as decisions
inner join lead_segments as segments on decisions.segment_id = segments.id
where decisions.decision_date = lead_today();

create temporary table past as
select
    gen_random_uuid() as id,
    today.segment_id,
    today.code,
    today.place,
    today.story,
    today.is_blocked,
    lead_today() - ago as day,
    ago,
    today.step,
    not today.is_blocked and today.old_budget > 0 and (ago + today.place) % 9 = 0 as is_step,
    steps.so_far,
    today.old_budget,
    round(today.target_leads_per_day * (1 + 0.04 * sin(ago / 5.0)::numeric), 4) as target,
    today.expected_leads_per_day as expected,
    today.reasons
from today
cross join generate_series(1, 30) as ago
cross join lateral (
    select count(*) as so_far
    from generate_series(1, ago) as earlier
    where today.story in ('made', 'edited') and not today.is_blocked and (earlier + today.place) % 9 = 0
) as steps;

alter table past add column before numeric, add column after numeric, add column alone numeric, add column brings numeric;
update past set before = round(old_budget / step ^ so_far, 2);
update past
set after = case when is_step then round(case when story in ('made', 'edited') then old_budget / step ^ (so_far - 1) else before * step end, 2) else before end;
update past
set alone = round(expected * (before / nullif(old_budget, 0)) ^ 0.6, 4), brings = round(expected * (after / nullif(old_budget, 0)) ^ 0.6, 4);

insert into budget_decisions (
    id, segment_id, decision_date, dag_run_id, evaluated_at, created_at, action, is_blocked, old_budget, new_budget, target_leads_per_day,
    expected_leads_per_day, expected_low, expected_high, reasons, inputs, realised_leads_7d, realised_leads_14d
)
select
    past.id, past.segment_id, past.day, 'lived__' || past.day, past.day + time '06:03', past.day + time '06:03',
    case when after > before then 'increase' when after < before then 'decrease' else 'hold' end, past.is_blocked, before, after, past.target,
    alone, round(alone * 0.93, 4), round(alone * 1.07, 4),
    case
        when is_step then array['step_limit', case when step > 1 then 'below_capacity' else 'above_capacity' end]
        when past.is_blocked then past.reasons
        when past.story = 'edited' and ago between 10 and 12 then array['foreign_edit']
        when (ago + past.place) % 9 > 5 then array['cool_down']
        else array['within_dead_band', 'not_significant']
    end,
    jsonb_build_object('expected_after', brings), came.week, came.fortnight
from past
cross join lateral (
    select
        case when past.ago >= 8 then avg(stats.leads_generated) filter (where stats.date < past.day + 7) end as week,
        case when past.ago >= 15 then avg(stats.leads_generated) end as fortnight
    from lead_generation_stats as stats
    where stats.segment_id = past.segment_id and stats.date between past.day and past.day + 13
) as came;

update lead_segment_plans as plans
set
    target_leads_per_day = round(past.target), expected_leads_per_day = round(past.alone), target_daily_budget_google_ads = past.after,
    actual_daily_budget_google_ads = past.after, orchestration_status = case when past.is_step then 'applied' else 'held' end
from past
where plans.segment_id = past.segment_id and plans.date = past.day;

insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, status, account, external_id, decision_date, decision_id, dag_run_id,
    created_at, closed_at, error_code, decided_by
)
select
    segment_id, 'google_ads', case when after > before then 'budget_increase' else 'budget_decrease' end, before, after,
    case when story in ('rejected', 'expired') then 'failed' else 'success' end, 'lived', 'budget of ' || code, day, id, 'lived__' || day,
    day + time '06:04', day + time '06:04',
    case story when 'rejected' then 'approval_rejected' when 'expired' then 'approval_expired' end,
    case when story = 'rejected' or (story = 'made' and after - before > 20) then 'm.devries@vakwerkgids.example' end
from past
where is_step;

insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, status, account, external_id, decision_date, kind, reverts, dag_run_id,
    created_at, closed_at, decided_by
)
select
    log.segment_id, log.channel, 'budget_revert', log.new_value, log.old_value, 'success', log.account, log.external_id, log.decision_date,
    'revert', log.id, 'manual__' || log.decision_date, log.decision_date + time '10:12', log.decision_date + time '10:12', 'anke'
from past
inner join channel_orchestration_log as log on past.id = log.decision_id
where past.story = 'reverted';

insert into budget_edits (channel, account, budget_id, edited_at, segment_id, edited_by, old_value, new_value, dag_run_id)
select 'google_ads', 'lived', 'budget of ' || code, day + time '14:05', segment_id, 'marketing@vakwerkgids.example', before, round(before * 1.1, 2), 'lived__' || day
from past
where story = 'edited' and ago = 12;

-- The company's limits were set when it began.
update limit_changes set changed_at = changed_at - interval '31 days', changed_by = 'l.bakker@vakwerkgids.example';

drop table past, today, moves, copies;
reset session_replication_role;
