-- outcome_weeks.leads_promised and leads_came of the weeks that how_often_right looks at. In a file of its own: the columns' lock is over.

set local lock_timeout = '5s';

update public.outcome_weeks as weeks
set leads_promised = known.leads_promised, leads_came = known.leads_came
from (
    select
        channel,
        date_trunc('week', decision_date::timestamp)::date as week,
        made as action,
        coalesce(sum(promised) filter (where is_as_promised is not null), 0) as leads_promised,
        coalesce(sum(came) filter (where is_as_promised is not null), 0) as leads_came
    from public.budget_outcomes
    where came is not null and decision_date >= date_trunc('week', (public.lead_today() - 182)::timestamp)::date
    group by 1, 2, 3
) as known
where weeks.channel = known.channel and weeks.week = known.week and weeks.action = known.action;
