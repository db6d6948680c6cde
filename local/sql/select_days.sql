-- Grain: one day on which something was decided.
-- Why: a day without decisions is answered with the nearest that have some.
select distinct decision_date as day
from public.budget_decisions
where channel = 'google_ads'
order by day;
