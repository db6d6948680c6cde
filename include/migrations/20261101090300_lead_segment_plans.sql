-- lead_segment_plans: target, expectation, gap and budget, one row a segment a day.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.lead_segment_plans (
    segment_id uuid not null references public.lead_segments (id) on delete restrict,
    date date not null,
    target_leads_per_day integer,
    expected_leads_per_day integer,
    lead_gap integer,
    target_daily_budget_google_ads numeric(14, 6),
    actual_daily_budget_google_ads numeric(14, 6),
    orchestration_status text not null default 'planned',
    target_source text not null default 'planner',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (segment_id, date),
    constraint lead_segment_plans_leads_check check (target_leads_per_day >= 0 and expected_leads_per_day >= 0),
    constraint lead_segment_plans_target_budget_check check (
        target_daily_budget_google_ads >= 0 and target_daily_budget_google_ads < 'Infinity'
    ),
    constraint lead_segment_plans_actual_budget_check check (
        actual_daily_budget_google_ads >= 0 and actual_daily_budget_google_ads < 'Infinity'
    ),
    constraint lead_segment_plans_orchestration_status_check check (
        orchestration_status in ('planned', 'held', 'waiting_approval', 'applied', 'failed', 'dry_run')
    ),
    constraint lead_segment_plans_target_source_check check (target_source in ('planner', 'admin'))
);

comment on table public.lead_segment_plans is
'One row a segment a day. The first evaluation of a day owns its plan; of a past plan only lead_gap still changes.';
comment on column public.lead_segment_plans.target_leads_per_day is 'Generated leads a day to aim for: capacity / acceptance.';
comment on column public.lead_segment_plans.lead_gap is
'target_leads_per_day - leads_generated of the day. NULL while the plan has no target or the day has no stats.';
comment on column public.lead_segment_plans.target_daily_budget_google_ads is 'EUR a day that the plan asks for.';
comment on column public.lead_segment_plans.actual_daily_budget_google_ads is 'EUR a day in force after settling.';
comment on column public.lead_segment_plans.target_source is
'Who set the target. The planner leaves a target of an admin alone; setting it back to planner hands it over again.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create index lead_segment_plans_date_gap_idx on public.lead_segment_plans (date, lead_gap);

-- Kept by the database -------------------------------------------------------------------------------------------------

-- Policies cannot compare the old row with the new one; this can. It binds whoever row level security binds (admins and the
-- pipeline), and so neither the owner, who loads history, nor service_role.
create function private.guard_lead_segment_plan() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if not row_security_active(tg_relid) then
        return new;
    end if;
    if (new.segment_id, new.date) is distinct from (old.segment_id, old.date) then
        raise exception 'plan of % cannot move to another segment or day', old.date
            using errcode = 'restrict_violation',
            detail = 'The plan was left as it was.',
            hint = 'Insert a plan for the other segment or day.';
    end if;
    if old.date < public.lead_today()
        and to_jsonb(new) - '{lead_gap,updated_at}'::text[] <> to_jsonb(old) - '{lead_gap,updated_at}'::text[] then
        raise exception 'plan of % is history: only its lead_gap may change', old.date
            using errcode = 'restrict_violation',
            detail = format('The plan of segment %s was left as it was.', old.segment_id),
            hint = format('Change the plan of today (%s) instead.', public.lead_today());
    end if;
    if current_user = 'lead_pipeline' and old.target_source = 'admin'
        and new.target_leads_per_day is distinct from old.target_leads_per_day then
        raise exception 'the target of % leads on % was set by an admin', old.target_leads_per_day, old.date
            using errcode = 'restrict_violation',
            detail = format('The plan of segment %s was left as it was.', old.segment_id),
            hint = 'Leave target_leads_per_day alone where target_source is ''admin''.';
    end if;
    return new;
end
$$;

-- A target that a person writes is theirs: through the API (only admins get past the policies as `authenticated`), or straight
-- in the database from today on. No target = handed back to the planner.
create function private.mark_admin_target() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if current_user = 'authenticated' or (
        tg_op = 'UPDATE' and current_user <> 'lead_pipeline' and new.date >= public.lead_today()
        and new.target_leads_per_day is distinct from old.target_leads_per_day
    ) then
        new.target_source := case when new.target_leads_per_day is null then 'planner' else 'admin' end;
    end if;
    return new;
end
$$;

revoke all on function private.guard_lead_segment_plan() from public, anon, authenticated, service_role;
revoke all on function private.mark_admin_target() from public, anon, authenticated, service_role;

create trigger guard before update on public.lead_segment_plans
for each row execute function private.guard_lead_segment_plan();
create trigger mark_admin_target before insert or update of target_leads_per_day on public.lead_segment_plans
for each row execute function private.mark_admin_target();
create trigger set_updated_at before update on public.lead_segment_plans
for each row when (old.* is distinct from new.*) execute function private.set_updated_at();

-- Row level security: signed-in users read, admins insert and update, nobody deletes ----------------------------------

alter table public.lead_segment_plans enable row level security;
revoke all on public.lead_segment_plans from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.lead_segment_plans to authenticated, service_role;
create policy signed_in_users_read on public.lead_segment_plans
for select to authenticated using (true);
create policy admins_insert on public.lead_segment_plans
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.lead_segment_plans
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

-- A run of any other day than today, however it was started, inserts no plan.
grant select, insert on public.lead_segment_plans to lead_pipeline;
grant update (
    target_leads_per_day, expected_leads_per_day, lead_gap,
    target_daily_budget_google_ads, actual_daily_budget_google_ads, orchestration_status
) on public.lead_segment_plans to lead_pipeline;
create policy pipeline_reads on public.lead_segment_plans
for select to lead_pipeline using (true);
create policy pipeline_inserts_for_today on public.lead_segment_plans
for insert to lead_pipeline with check (date = (select public.lead_today()) and target_source = 'planner');
create policy pipeline_updates_up_to_today on public.lead_segment_plans
for update to lead_pipeline
using (date <= (select public.lead_today())) with check (date <= (select public.lead_today()));
