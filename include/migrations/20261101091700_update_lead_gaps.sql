-- update_lead_gaps reads the stats of its own days only. What it returns and changes is as before.

set local lock_timeout = '5s';

-- Functions (invoker: the policies of the caller apply; the rights and the comment stay) ------------------------------

-- The range is said of both tables: from `s.date = p.date` the planner carries over a single day, never a range, and would read
-- the stats of every day there ever was.
create or replace function public.update_lead_gaps(p_from date, p_to date) returns integer
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
