-- Rows of %(segments)s segments and %(days)s days. A segment's budget moves every tenth day; one in fifty waits for the same repair. With a
-- decision come as many keys, and about as many bytes, as the planner keeps.
insert into lead_segments (code, branch, region)
select 'b' || n / 50 || '_r' || n %% 50, 'b' || n / 50, 'r' || n %% 50 from generate_series(0, %(segments)s - 1) as n;

insert into channel_sources (channel, account, external_id, segment_id)
select 'google_ads', '1234567890', (20000000000 + row_number() over (order by code))::text, id from lead_segments;

insert into channel_budgets (
    channel, account, campaign_id, campaign_name, budget_id, amount, campaigns_on_budget, is_budget_limited, is_learning,
    is_serving, currency, time_zone, dag_run_id
)
select
    channel, account, external_id, 'NL | ' || external_id || ' | search', 'budget/' || external_id, 50, 1, true, false, true,
    'EUR', 'Europe/Amsterdam', 'bench'
from channel_sources;

insert into lead_segment_channels (
    segment_id, channel, min_daily_budget, max_daily_budget, max_increase_pct, max_decrease_pct, cooldown_days, is_automated
)
select id, 'google_ads', 30, 360, 20, 30, 3, true from lead_segments;

insert into limit_changes (changed_by, table_name, segment_id, channel, column_name, old_value, new_value, changed_at)
select 'anke@bench.example', 'lead_segment_channels', id, 'google_ads', 'max_daily_budget', '300', '360', now() - interval '40 days'
from lead_segments;

create temporary table s as
select id, code, branch, row_number() over (order by code) as n from lead_segments;
create temporary table d as
select day::date as day, row_number() over (order by day) as n
from generate_series(lead_today() - %(days)s, lead_today(), interval '1 day') as day;

insert into lead_generation_stats (
    segment_id, date, leads_generated, leads_accepted, leads_rejected, leads_pending, google_ads_spend, google_ads_clicks,
    google_ads_impressions
)
select s.id, d.day, 5 + (s.n + d.n) %% 3, 3, 1, 1 + (s.n + d.n) %% 3, 20 + (s.n * d.n) %% 40, 30, 900
from d cross join s where d.day < lead_today() order by d.day, s.id;

insert into lead_segment_plans (
    segment_id, date, target_leads_per_day, expected_leads_per_day, lead_gap, target_daily_budget_google_ads,
    actual_daily_budget_google_ads, orchestration_status
)
select
    s.id, d.day, 5 + s.n %% 7, 4 + (s.n + d.n) %% 8, 1, 50, 50,
    case when s.n %% 50 = 0 or (s.n + d.n) %% 10 <> 0 then 'held' else 'applied' end
from d cross join s order by d.day, s.id;

insert into budget_decisions (
    segment_id, decision_date, dag_run_id, evaluated_at, action, is_blocked, old_budget, new_budget, target_leads_per_day,
    expected_leads_per_day, expected_low, expected_high, reasons, sentence, inputs, realised_leads_7d, realised_leads_14d
)
select
    s.id, d.day, 'asset_triggered__' || d.day, d.day + time '06:05',
    case when made.moves then 'increase' else 'hold' end, s.n %% 50 = 0, 50, case when made.moves then 60 else 50 end,
    case when s.n %% 50 > 0 then 5 + s.n %% 7 end, 4 + (s.n + d.n) %% 8, 3.5 + (s.n + d.n) %% 8, 4.5 + (s.n + d.n) %% 8,
    case
        when s.n %% 50 = 0 then array['missing_capacity']
        when made.moves then array['step_limit', 'below_capacity']
        else array['within_dead_band', 'not_significant']
    end,
    s.code || ': 9.7 of 10.6 leads per day expected (9.1–10.3). Budget stays €50: the gap is within the dead band.',
    
jsonb_build_object(
    'code', s.code, 'branch', s.branch, 'country', 'NL', 'blocks', '[]'::jsonb, 'sd', 0.7474581028197127,
    'estimate', jsonb_build_object(
        'free_rate', 1.6261177025278841, 'paid_rate', 0.04449664347175308, 'reference', 114.95168379275876,
        'acceptance', 0.6788096812938005, 'elasticity', 0.7, 'free_today', 0.9769484741763543,
        'free_today_variance', 0.000412, 'paid_today_variance', 0.000531,
        'paid_today', 0.9942263555704172, 'spend_share', 1.0274997410138969, 'recent_spend', 125.87142857142855,
        'free_rate_variance', 0.07379170251544007, 'paid_rate_variance', 0.000014518028445310922,
        'acceptance_variance', 0.0008562520902465343, 'spend_share_variance', 0.0010949037438154785
    ),
    'free_rate', 1.6261177025278841, 'gap_exact', 4.786971559876706, 'paid_rate', 0.04357054205366024,
    'spend_after', 147.95996270600114, 'target_week', 5 + s.n %% 7, 'is_automated', true, 'cooldown_days', 3,
    'expected_week', 4 + (s.n + d.n) %% 8, 'wanted_budget', 40 + (s.n + d.n) %% 120, 'budget_limited', true,
    'capacity_usual', null, 'current_budget', '50.000000', 'expected_after', 4.5 + (s.n + d.n) %% 8,
    'limited_budget', '50.000000', 'acceptance_rate', 0.6788096812938005, 'target_override', null,
    'last_change_date', null, 'max_daily_budget', '360.000000', 'max_decrease_pct', '30', 'max_increase_pct', '20',
    'min_daily_budget', '30.000000', 'budget_changed_at', '2026-11-06 13:05:00+00:00',
    'budget_changed_by', 'marketing@bench.example', 'budget_lost_share', '0.6660', 'recommended_budget', '360.000000',
    'capacity_absent_week', null, 'capacity_total_leads', 8, 'capacity_absent_leads', null,
    'capacity_absent_until', null
)
,
    case when d.day < lead_today() - 7 then 5 + (s.n + d.n) %% 3 end,
    case when d.day < lead_today() - 14 then 5 + (s.n + d.n) %% 3 end
from d
cross join s
cross join lateral (select s.n %% 50 > 0 and (s.n + d.n) %% 10 = 0 as moves) as made
order by d.day, s.id;

insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, status, account, external_id, decision_date, kind, decision_id,
    dag_run_id, created_at, closed_at, decided_by
)
select
    decisions.segment_id, decisions.channel, 'budget_increase', 50, 60, 'success', sources.account,
    'budget/' || sources.external_id, decisions.decision_date, 'plan', decisions.id, decisions.dag_run_id,
    decisions.evaluated_at, decisions.evaluated_at + interval '1 minute',
    case when hashtext(decisions.id::text) %% 20 = 0 then 'anke@bench.example' end
from budget_decisions as decisions
join channel_sources as sources on decisions.segment_id = sources.segment_id
where decisions.action = 'increase'
order by decisions.decision_date, decisions.segment_id;

insert into channel_metrics (segment_id, channel, account, date, spend, impressions, clicks, conversions, daily_budget, is_final)
select s.id, 'google_ads', '1234567890', d.day, 20 + (s.n * d.n) %% 40, 900, 30, 3, 50, d.day < lead_today() - 3
from d cross join s where d.day < lead_today() order by d.day, s.id;

insert into channel_metrics (
    segment_id, channel, account, date, leads_generated, leads_accepted, leads_rejected, leads_pending, leads_by_source
)
select
    s.id, 'leads', 'leads_db', d.day, 5 + (s.n + d.n) %% 3, 3, 1, 1 + (s.n + d.n) %% 3,
    '{"google_ads": {"generated": 3, "accepted": 1, "rejected": 1, "pending": 1}}'
from d cross join s where d.day < lead_today() order by d.day, s.id;

insert into channel_fetches (channel, account, date_from, date_to, row_count, dag_run_id, fetched_at)
select
    names.channel, names.account, d.day - 30, d.day - 1, 10000, 'scheduled__' || d.day,
    (d.day + time '06:01') at time zone 'Europe/Amsterdam'
from d
cross join (
    values ('google_ads', '1234567890'), ('leads', 'leads_db'), ('partner_capacity', 'leads_db')
) as names (channel, account);

insert into channel_totals (channel, account, date, metric, segments, in_segments, in_none, reported)
select 'google_ads', '1234567890', d.day, 'spend', 10000, 400000, 12, 400012 from d where d.day < lead_today();

insert into pipeline_findings (name, level, segment_id, channel, subject, detail, remediation)
select
    'capacity_unknown', 'stop', s.id, 'partner_capacity', null,
    'It is unknown how many leads the partners of ' || s.code || ' take; its budget is held.',
    'Enter the capacity of the partners, then run lead_stats for yesterday.'
from s where s.n %% 50 = 0;

insert into budget_edits (channel, account, budget_id, edited_at, segment_id, edited_by, old_value, new_value, dag_run_id)
select
    'google_ads', '1234567890', 'budget/' || s.n, (d.day + time '14:05') at time zone 'Europe/Amsterdam', s.id,
    'marketing@bench.example', 50, 55, 'asset_triggered__' || d.day + 1
from d cross join s where (s.n * 7 + d.n) %% 300 = 0 and d.day < lead_today();

insert into outcome_weeks (
    channel, week, action, decisions, judged, promises, promises_kept, changes, came_nearer, by_chance, luck, luck_variance,
    leads_over_target
)
select 'google_ads', week::date, action, 9000, 8000, 8000, 6400, 800, 500, 800, 380, 190, -20
from generate_series(date_trunc('week', lead_today() - interval '182 days'), lead_today() - 14, interval '7 days') as week
cross join unnest(array['increase', 'decrease', 'hold']) as action;

insert into backtest_results (
    run_id, trial, segment_id, date_from, date_to, tried, evaluations, kept, increases, decreases, differing, leads, wanted, target,
    spend, first_budget, last_budget, judged, held, missed_by, replayed_at
)
select
    'manual__' || report, trial, s.id, lead_today() - 90, lead_today() - 1,
    case when trial = 'changed' then 'max_increase_pct 50' end,
    88, 88, 2, 1, 1, 440, 430, 470, 3500, 50, 50 + s.n %% 17 + length(trial), 12, 10, 9, now() - report * interval '1 day'
from generate_series(1, 4) as report
cross join unnest(array['decided', 'today', 'changed']) as trial
cross join s;
