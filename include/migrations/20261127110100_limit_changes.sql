-- Who changed a limit, when, and from what to what: an approver should know that a cap was raised an hour ago, and by whom.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.limit_changes (
    id bigint generated always as identity primary key,
    changed_at timestamptz not null default clock_timestamp(),
    changed_by text not null,
    table_name text not null,
    segment_id uuid references public.lead_segments (id) on delete restrict,
    channel text,
    plan_date date,
    column_name text not null,
    old_value text,
    new_value text
);

comment on table public.limit_changes is
'One row per value that somebody changed in lead_segment_channels, orchestration_settings or the target of a plan. Written by triggers.';
comment on column public.limit_changes.changed_by is
'E-mail or user id of whoever was signed in; of a direct connection, its database role.';
comment on column public.limit_changes.segment_id is 'The segment of the row; NULL = orchestration_settings.';
comment on column public.limit_changes.plan_date is 'The day of a plan whose target was set; NULL = no plan.';
comment on column public.limit_changes.old_value is 'NULL = it had no value, or its row is new.';
comment on column public.limit_changes.new_value is 'NULL = it has no value any more, or its row is gone.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create index limit_changes_changed_at_idx on public.limit_changes (changed_at);
create index limit_changes_segment_id_idx on public.limit_changes (segment_id);

-- Kept by the database -------------------------------------------------------------------------------------------------

-- Definer: the rows are the database's own account of what happened, so nobody may write them.
create function private.log_limit_change() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
    v_claims constant jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    v_old constant jsonb := coalesce(to_jsonb(old), '{}');
    v_new constant jsonb := coalesce(to_jsonb(new), '{}');
    v_row constant jsonb := case tg_op when 'DELETE' then v_old else v_new end;
    v_names constant text[] := '{id,segment_id,channel,created_at,updated_at}';
begin
    insert into public.limit_changes (
        changed_by, table_name, segment_id, channel, plan_date, column_name, old_value, new_value
    )
    select
        coalesce(
            v_claims ->> 'email', v_claims ->> 'sub', nullif(current_setting('role', true), 'none'), session_user
        ),
        tg_table_name,
        (v_row ->> 'segment_id')::uuid,
        v_row ->> 'channel',
        (v_row ->> 'date')::date,
        found.name,
        v_old ->> found.name,
        v_new ->> found.name
    from jsonb_object_keys(v_old || v_new) as found (name)
    where v_old -> found.name is distinct from v_new -> found.name
        and coalesce(v_old ->> found.name, v_new ->> found.name) is not null
        and case
            when tg_table_name = 'lead_segment_plans' then found.name = 'target_leads_per_day'
            else found.name <> all(v_names)
        end;
    return null;
end
$$;
revoke all on function private.log_limit_change() from public, anon, authenticated, service_role, lead_pipeline;

create trigger log_limit_change after insert or update or delete on public.lead_segment_channels
for each row execute function private.log_limit_change();
create trigger log_limit_change after insert or update or delete on public.orchestration_settings
for each row execute function private.log_limit_change();
-- Of a plan only the target that a person sets: the planner's own is in budget_decisions.
create trigger log_admin_target after update of target_leads_per_day on public.lead_segment_plans
for each row when ('admin' in (old.target_source, new.target_source))
execute function private.log_limit_change();
create trigger log_new_admin_target after insert on public.lead_segment_plans
for each row when (new.target_source = 'admin')
execute function private.log_limit_change();

-- Row level security: signed-in users read, nobody writes --------------------------------------------------------------

alter table public.limit_changes enable row level security;
revoke all on public.limit_changes from public, anon, authenticated, service_role, lead_pipeline;
revoke all on sequence public.limit_changes_id_seq from public, anon, authenticated, service_role, lead_pipeline;

grant select on public.limit_changes to authenticated, service_role, lead_pipeline;
create policy signed_in_users_read on public.limit_changes
for select to authenticated using (true);
create policy pipeline_reads on public.limit_changes
for select to lead_pipeline using (true);
