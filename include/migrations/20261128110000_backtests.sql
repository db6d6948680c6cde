-- The report of a backtest: what past mornings would have come to with today's settings and with others.

set local lock_timeout = '5s';

-- Tables ---------------------------------------------------------------------------------------------------------------

create table public.backtest_results (
    run_id text not null,
    trial text not null,
    segment_id uuid not null references public.lead_segments (id) on delete restrict,
    date_from date not null,
    date_to date not null,
    tried text,
    evaluations integer not null,
    kept integer not null,
    increases integer not null,
    decreases integer not null,
    differing integer not null,
    leads double precision not null,
    wanted double precision not null,
    target double precision not null,
    spend double precision not null,
    first_budget double precision,
    last_budget double precision,
    judged integer not null,
    held integer not null,
    missed_by double precision not null,
    replayed_at timestamptz not null default now(),
    primary key (run_id, replayed_at, trial, segment_id),
    constraint backtest_results_trial_check check (trial in ('decided', 'today', 'changed')),
    constraint backtest_results_dates_check check (date_from <= date_to),
    constraint backtest_results_counts_check check (
        0 <= kept and kept <= evaluations and 0 <= increases and 0 <= decreases and increases + decreases <= evaluations
        and 0 <= differing and differing <= evaluations and 0 <= held and held <= judged
    )
);

comment on table public.backtest_results is
'One row per backtest, trial and segment: sums over the mornings of which everything is known. Expectations, no amounts that were paid.';
comment on column public.backtest_results.run_id is 'The run of lead_backtest, or what make backtest called it.';
comment on column public.backtest_results.replayed_at is 'The same for all rows of a report; a run that is cleared has another one.';
comment on column public.backtest_results.trial is
'decided: what was decided and made; today: what the settings of the day of the backtest would have decided; changed: what was tried.';
comment on column public.backtest_results.tried is 'Of trial changed: the settings that were changed.';
comment on column public.backtest_results.evaluations is 'Mornings on which target and expectation were known in every trial.';
comment on column public.backtest_results.kept is 'Of them, replayed from what was known then; the others from what is known now.';
comment on column public.backtest_results.differing is
'Of the evaluations, how many decide otherwise: today than decided, changed than today.';
comment on column public.backtest_results.leads is 'Sum of the leads per day that were expected at each morning''s new budget.';
comment on column public.backtest_results.wanted is 'Sum of those of them that are within the target.';
comment on column public.backtest_results.target is 'Sum of the targets, leads per day.';
comment on column public.backtest_results.spend is 'Sum of the expected spend, EUR per day.';
comment on column public.backtest_results.first_budget is 'EUR per day after the first evaluation.';
comment on column public.backtest_results.last_budget is 'EUR per day after the last one.';
comment on column public.backtest_results.judged is 'Forecasts of seven days at one budget that are over.';
comment on column public.backtest_results.held is 'Of them, how many came within the range that holds 80%.';
comment on column public.backtest_results.missed_by is 'Sum over them of how far what came lies from the forecast, leads per day.';

create table public.backtest_differences (
    run_id text not null,
    segment_id uuid not null references public.lead_segments (id) on delete restrict,
    date date not null,
    decided_action text,
    decided_budget numeric(14, 6),
    today_action text not null,
    today_budget numeric(14, 6),
    changed_action text not null,
    changed_budget numeric(14, 6),
    replayed_at timestamptz not null default now(),
    primary key (run_id, replayed_at, segment_id, date)
);

comment on table public.backtest_differences is
'One row per backtest, segment and morning on which the changed settings decide otherwise than those of the day of the backtest; of '
'many the thousand that lie farthest apart.';
comment on column public.backtest_differences.decided_action is 'What was decided that morning; NULL = nothing was.';
comment on column public.backtest_differences.decided_budget is 'EUR per day; NULL = not known.';
comment on column public.backtest_differences.today_budget is 'EUR per day; NULL = not known.';
comment on column public.backtest_differences.changed_budget is 'EUR per day; NULL = not known.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create index backtest_results_segment_idx on public.backtest_results (segment_id);
create index backtest_differences_segment_idx on public.backtest_differences (segment_id);

-- Row level security: signed-in users read; the pipeline adds its reports, and nobody rewrites one -----------------------

alter table public.backtest_results enable row level security;
alter table public.backtest_differences enable row level security;
revoke all on public.backtest_results, public.backtest_differences
from public, anon, authenticated, service_role, lead_pipeline;

grant select on public.backtest_results, public.backtest_differences to authenticated, service_role;
create policy signed_in_users_read on public.backtest_results
for select to authenticated using (true);
create policy signed_in_users_read on public.backtest_differences
for select to authenticated using (true);

grant insert on public.backtest_results, public.backtest_differences to lead_pipeline;
create policy pipeline_inserts on public.backtest_results
for insert to lead_pipeline with check (true);
create policy pipeline_inserts on public.backtest_differences
for insert to lead_pipeline with check (true);
