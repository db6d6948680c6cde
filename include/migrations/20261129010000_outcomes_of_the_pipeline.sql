-- The weekly digest says how often decisions were right: the pipeline reads the view that says it.

set local lock_timeout = '5s';

grant select on public.budget_outcomes to lead_pipeline;
-- The view calls it as its reader.
grant execute on function private.normal_cdf(double precision) to lead_pipeline;
