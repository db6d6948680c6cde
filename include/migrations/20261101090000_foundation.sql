-- What every later file leans on: the role of the pipeline, "today", "is this user an admin", and updated_at.

set local lock_timeout = '5s';

-- Prerequisites: this extends a company's Supabase project, it does not make one ---------------------------------------

do $$
begin
    if to_regclass('public.leads') is null or to_regclass('public.profiles') is null then
        raise exception 'public.leads or public.profiles does not exist in database %', current_database()
            using errcode = 'undefined_table',
            detail = 'Nothing was changed.',
            hint = 'Point the migration at the Supabase project that has both tables; for a local database, '
            || 'apply sandbox/supabase.sql first.';
    end if;
end
$$;

-- Role: the pipeline logs in as itself, never as service_role, whose BYPASSRLS would void every policy -----------------

do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'lead_pipeline') then
        create role lead_pipeline nologin;
    end if;
exception
    -- Roles are cluster-wide: the migration of another database made it at this very moment.
    when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
    if exists (select from pg_catalog.pg_roles where rolname = 'lead_pipeline' and (rolsuper or rolbypassrls)) then
        raise exception 'role lead_pipeline is a superuser or has BYPASSRLS, so no policy would bind it'
            using errcode = 'invalid_role_specification',
            detail = 'Nothing was changed.',
            hint = 'Run: alter role lead_pipeline nosuperuser nobypassrls;';
    end if;
end
$$;

grant usage on schema public to lead_pipeline;

-- So that the pipeline can see whether its schema is up to date. Not every project keeps a history, or lets us grant on it.
do $$
begin
    if to_regclass('supabase_migrations.schema_migrations') is not null then
        grant usage on schema supabase_migrations to lead_pipeline;
        grant select on supabase_migrations.schema_migrations to lead_pipeline;
    end if;
exception
    when insufficient_privilege then null;
end
$$;

-- Schema `private`: never exposed by the API; without USAGE nobody calls what is in it directly ------------------------

create schema if not exists private;
revoke all on schema private from public, anon, authenticated, service_role;

-- Functions ------------------------------------------------------------------------------------------------------------

create function public.lead_today() returns date
language sql stable
set search_path = ''
as $$
    select (statement_timestamp() at time zone 'Europe/Amsterdam')::date
$$;
comment on function public.lead_today() is
'The day it is now in Europe/Amsterdam: the only clock that the rules of this schema read.';

revoke all on function public.lead_today() from public, anon, authenticated, service_role;
grant execute on function public.lead_today() to authenticated, service_role, lead_pipeline;

-- Definer, because a policy on profiles must not decide whether this one sees the row (and must not recurse into it).
create function private.is_admin() returns boolean
language sql stable security definer
set search_path = ''
as $$
    select exists (select from public.profiles as p where p.id = (select auth.uid()) and p.is_admin)
$$;
comment on function private.is_admin() is 'Is the signed-in user an admin (profiles.is_admin)? False when nobody is signed in.';

revoke all on function private.is_admin() from public, anon, authenticated, service_role;
grant execute on function private.is_admin() to authenticated;

create function private.set_updated_at() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    new.updated_at := now();
    return new;
end
$$;

revoke all on function private.set_updated_at() from public, anon, authenticated, service_role;
