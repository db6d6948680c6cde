-- Grain: one row about the decisions of the days from first to last, and those of the seven days before them.
-- Why: how often the decisions were right; of the earlier ones, for those of the days themselves are not seven days old yet.
select
    made.increases,
    made.decreases,
    made.holds,
    made.blocked,
    judged.judged,
    judged.as_promised,
    judged.changes_judged,
    judged.nearer
from (
    select
        count(*) filter (where action = 'increase') as increases,
        count(*) filter (where action = 'decrease') as decreases,
        count(*) filter (where action = 'hold' and not is_blocked) as holds,
        count(*) filter (where is_blocked) as blocked
    from (
        {%- set which %}
            evaluated.channel = %(channel)s and evaluated.decision_date between %(first)s::date and %(last)s::date
        {%- endset %}
        {% include 'reading/decisions.sql' %}
    ) as counted
) as made
cross join (
    select
        count(*) filter (where is_judged) as judged,
        count(*) filter (where is_as_promised) as as_promised,
        count(*) filter (where is_nearer is not null) as changes_judged,
        count(*) filter (where is_nearer) as nearer
    from budget_outcomes
    where channel = %(channel)s and decision_date between %(first)s::date - 7 and %(first)s::date - 1
) as judged
