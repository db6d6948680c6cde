-- budget_decisions: every evaluation, holds included: what was known, what was decided, why, and what came of it.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.budget_decisions (
    id uuid primary key default gen_random_uuid(),
    segment_id uuid not null references public.lead_segments (id) on delete restrict,
    channel text not null default 'google_ads',
    decision_date date not null default public.lead_today(),
    dag_run_id text,
    evaluated_at timestamptz not null default now(),
    action text not null,
    is_blocked boolean not null default false,
    is_dry_run boolean not null default false,
    old_budget numeric(14, 6),
    new_budget numeric(14, 6),
    target_leads_per_day numeric(12, 4),
    expected_leads_per_day numeric(12, 4),
    expected_low numeric(12, 4),
    expected_high numeric(12, 4),
    reasons text[] not null default '{}',
    sentence text,
    inputs jsonb not null default '{}',
    realised_leads_7d numeric(12, 4),
    realised_leads_14d numeric(12, 4),
    created_at timestamptz not null default now(),
    constraint budget_decisions_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint budget_decisions_action_check check (action in ('increase', 'decrease', 'hold')),
    constraint budget_decisions_blocked_check check (not is_blocked or action = 'hold'),
    constraint budget_decisions_old_budget_check check (old_budget >= 0 and old_budget < 'Infinity'),
    constraint budget_decisions_new_budget_check check (new_budget >= 0 and new_budget < 'Infinity'),
    -- The direction and the amounts tell one story; a change of an unknown amount is no decision.
    constraint budget_decisions_direction_check check (
        case action
            when 'increase' then coalesce(new_budget > old_budget, false)
            when 'decrease' then coalesce(new_budget < old_budget, false)
            else new_budget = old_budget
        end
    ),
    constraint budget_decisions_leads_check check (
        target_leads_per_day >= 0 and target_leads_per_day < 'Infinity'
        and expected_leads_per_day >= 0 and expected_leads_per_day < 'Infinity'
    ),
    constraint budget_decisions_interval_check check (
        expected_low >= 0 and expected_high < 'Infinity' and expected_low <= expected_high
    ),
    constraint budget_decisions_realised_check check (
        realised_leads_7d >= 0 and realised_leads_7d < 'Infinity'
        and realised_leads_14d >= 0 and realised_leads_14d < 'Infinity'
    ),
    constraint budget_decisions_reasons_check check (array_position(reasons, null) is null),
    constraint budget_decisions_inputs_check check (jsonb_typeof(inputs) = 'object')
);

comment on table public.budget_decisions is
'Every evaluation of a segment. One a day counts; evaluations that missing data blocked may be repeated the same day.';
comment on column public.budget_decisions.is_blocked is 'A hold because data was missing: may be evaluated again the same day.';
comment on column public.budget_decisions.target_leads_per_day is 'Generated leads a day, exact; the plan has it rounded.';
comment on column public.budget_decisions.reasons is 'Codes, all that apply.';
comment on column public.budget_decisions.sentence is 'The decision in one sentence for people.';
comment on column public.budget_decisions.realised_leads_7d is 'Generated leads a day in the 7 days after it; filled in later.';
comment on column public.budget_decisions.realised_leads_14d is 'Generated leads a day in the 14 days after it; filled in later.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create unique index budget_decisions_day_key on public.budget_decisions (segment_id, channel, decision_date)
where not is_blocked;
create index budget_decisions_segment_date_idx on public.budget_decisions (segment_id, decision_date);
create index budget_decisions_date_idx on public.budget_decisions (decision_date);

-- Row level security: signed-in users read, admins insert and update, nobody deletes ----------------------------------

alter table public.budget_decisions enable row level security;
revoke all on public.budget_decisions from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.budget_decisions to authenticated, service_role;
create policy signed_in_users_read on public.budget_decisions
for select to authenticated using (true);
create policy admins_insert on public.budget_decisions
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.budget_decisions
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

-- The pipeline decides about today only; of a decision it may later fill in what came of it, and nothing else.
grant select, insert, update (realised_leads_7d, realised_leads_14d) on public.budget_decisions to lead_pipeline;
create policy pipeline_reads on public.budget_decisions
for select to lead_pipeline using (true);
create policy pipeline_inserts_for_today on public.budget_decisions
for insert to lead_pipeline with check (decision_date = (select public.lead_today()));
create policy pipeline_fills_in_outcomes on public.budget_decisions
for update to lead_pipeline
using (decision_date <= (select public.lead_today())) with check (decision_date <= (select public.lead_today()));
