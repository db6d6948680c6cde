-- Leads that were decided on are leads that came in, also where the rest of them is not known.

set local lock_timeout = '5s';

-- Not validated: a row of the past that breaks it stays as it is until lead_stats restates its day.
alter table public.lead_generation_stats
add constraint lead_generation_stats_leads_part_check check (
    coalesce(leads_accepted, 0) + coalesce(leads_rejected, 0) + coalesce(leads_pending, 0) <= leads_generated
) not valid;
