-- calculate_lead_gap and update_lead_gap by the names that callers use, such as Supabase's rpc(): segment_id and date.

set local lock_timeout = '5s';

-- Functions (invoker: the policies of the caller apply) ---------------------------------------------------------------

-- A parameter cannot be renamed by CREATE OR REPLACE. Nothing depends on either but each other, by name and at run time.
-- squawk-ignore ban-drop-function
drop function public.update_lead_gap(uuid, date);
-- squawk-ignore ban-drop-function
drop function public.calculate_lead_gap(uuid, date);

-- Inside, parameters are $1 and $2: of two equal names a column wins, so `segment_id = segment_id` would be true for every row.
create function public.calculate_lead_gap(segment_id uuid, date date) returns integer
language sql stable
set search_path = ''
as $$
    select p.target_leads_per_day - s.leads_generated
    from public.lead_segment_plans as p
    inner join public.lead_generation_stats as s on p.segment_id = s.segment_id and p.date = s.date
    where p.segment_id = $1 and p.date = $2
$$;
comment on function public.calculate_lead_gap(uuid, date) is
'target_leads_per_day - leads_generated of a segment on a day; NULL when either is not known.';

create function public.update_lead_gap(segment_id uuid, date date) returns integer
language sql
set search_path = ''
as $$
    update public.lead_segment_plans as p
    set lead_gap = public.calculate_lead_gap($1, $2)
    where p.segment_id = $1 and p.date = $2
        and p.lead_gap is distinct from public.calculate_lead_gap($1, $2);
    select public.calculate_lead_gap($1, $2);
$$;
comment on function public.update_lead_gap(uuid, date) is
'Brings lead_gap of one plan up to date and returns the gap. A plan that is right already is not rewritten.';

-- Privileges -----------------------------------------------------------------------------------------------------------

revoke all on function public.calculate_lead_gap(uuid, date) from public, anon, authenticated, service_role;
revoke all on function public.update_lead_gap(uuid, date) from public, anon, authenticated, service_role;
grant execute on function public.calculate_lead_gap(uuid, date) to authenticated, service_role, lead_pipeline;
grant execute on function public.update_lead_gap(uuid, date) to authenticated, service_role, lead_pipeline;

-- Where the schema differs from what was asked for, and why -----------------------------------------------------------

comment on column public.lead_generation_stats.google_ads_clicks is
'As many bits as the source gives (int64) and as channel_metrics holds: no day can overflow it. Readers see a number as with integer, and '
'a change of the type would rewrite every row under an exclusive lock.';
comment on column public.lead_generation_stats.google_ads_impressions is
'As many bits as the source gives (int64) and as channel_metrics holds: no day can overflow it. Readers see a number as with integer, and '
'a change of the type would rewrite every row under an exclusive lock.';
