-- Who is the pipeline: lead_pipeline and every login that has its rights. Not the owner of a table and no superuser, who have the rights
-- of every role, and not service_role: exactly those whom the policies of lead_pipeline bind.

set local lock_timeout = '5s';

-- Plans: whose target it is -------------------------------------------------------------------------------------------

create or replace function private.guard_lead_segment_plan() returns trigger
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
    if pg_has_role(current_user, 'lead_pipeline', 'usage') and old.target_source = 'admin'
        and new.target_leads_per_day is distinct from old.target_leads_per_day then
        raise exception 'the target of % leads on % was set by an admin', old.target_leads_per_day, old.date
            using errcode = 'restrict_violation',
            detail = format('The plan of segment %s was left as it was.', old.segment_id),
            hint = 'Leave target_leads_per_day alone where target_source is ''admin''.';
    end if;
    return new;
end
$$;

-- A target that a person writes is theirs: through the API (only admins get past the policies there), or straight in the database
-- from today on. No target = handed back to the planner.
create or replace function private.mark_admin_target() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_is_bound constant boolean := row_security_active(tg_relid);
    v_is_pipeline constant boolean := v_is_bound and pg_has_role(current_user, 'lead_pipeline', 'usage');
begin
    if v_is_bound and not v_is_pipeline or (
        tg_op = 'UPDATE' and not v_is_pipeline and new.date >= public.lead_today()
        and new.target_leads_per_day is distinct from old.target_leads_per_day
    ) then
        new.target_source := case when new.target_leads_per_day is null then 'planner' else 'admin' end;
    end if;
    return new;
end
$$;
