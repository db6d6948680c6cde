-- The gap between the target and what came in. No plan, no target or no stats of the day: NULL, never a made-up number.

set local lock_timeout = '5s';

-- Functions (invoker: the policies of the caller apply) ---------------------------------------------------------------

-- Parameters carry p_: named like the columns, `segment_id = segment_id` would be true for every row.
create function public.calculate_lead_gap(p_segment_id uuid, p_date date) returns integer
language sql stable
set search_path = ''
as $$
    select p.target_leads_per_day - s.leads_generated
    from public.lead_segment_plans as p
    inner join public.lead_generation_stats as s on p.segment_id = s.segment_id and p.date = s.date
    where p.segment_id = p_segment_id and p.date = p_date
$$;
comment on function public.calculate_lead_gap(uuid, date) is
'target_leads_per_day - leads_generated of a segment on a day; NULL when either is not known.';

create function public.update_lead_gap(p_segment_id uuid, p_date date) returns integer
language sql
set search_path = ''
as $$
    update public.lead_segment_plans as p
    set lead_gap = public.calculate_lead_gap(p_segment_id, p_date)
    where p.segment_id = p_segment_id and p.date = p_date
        and p.lead_gap is distinct from public.calculate_lead_gap(p_segment_id, p_date);
    select public.calculate_lead_gap(p_segment_id, p_date);
$$;
comment on function public.update_lead_gap(uuid, date) is
'Brings lead_gap of one plan up to date and returns the gap. A plan that is right already is not rewritten.';

-- The same for every segment and day of a range. Rows are locked in order of the key, so that two runs that overlap wait for
-- each other instead of deadlocking.
-- The range is said of both tables: from `s.date = p.date` the planner carries over a single day, never a range, and would read
-- the stats of every day there ever was.
create function public.update_lead_gaps(p_from date, p_to date) returns integer
language sql
set search_path = ''
as $$
    with changed as materialized (
        select p.segment_id, p.date, p.target_leads_per_day - s.leads_generated as lead_gap
        from public.lead_segment_plans as p
        left join public.lead_generation_stats as s
            on p.segment_id = s.segment_id and p.date = s.date and s.date between p_from and p_to
        where p.date between p_from and p_to
            and p.lead_gap is distinct from p.target_leads_per_day - s.leads_generated
        order by p.segment_id, p.date
        for no key update of p
    ),

    updated as (
        update public.lead_segment_plans as p
        set lead_gap = c.lead_gap
        from changed as c
        where p.segment_id = c.segment_id and p.date = c.date
        returning 1
    )

    select count(*)::integer from updated
$$;
comment on function public.update_lead_gaps(date, date) is
'Brings lead_gap of every plan from p_from to p_to (included) up to date; returns how many rows changed.';

-- Privileges -----------------------------------------------------------------------------------------------------------

revoke all on function public.calculate_lead_gap(uuid, date) from public, anon, authenticated, service_role;
revoke all on function public.update_lead_gap(uuid, date) from public, anon, authenticated, service_role;
revoke all on function public.update_lead_gaps(date, date) from public, anon, authenticated, service_role;
grant execute on function public.calculate_lead_gap(uuid, date) to authenticated, service_role, lead_pipeline;
grant execute on function public.update_lead_gap(uuid, date) to authenticated, service_role, lead_pipeline;
grant execute on function public.update_lead_gaps(date, date) to authenticated, service_role, lead_pipeline;
