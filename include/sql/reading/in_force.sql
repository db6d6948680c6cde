-- noqa: disable=all
-- Grain: one segment, active or not, with the sum of its budgets on the bound channel.
-- Why: what a plan says is in force and what a revert would lead to are the same sum.
select
    segment_id,
    sum(amount) as amount
from (
    {% set any_segment = true %}{% include 'reading/budgets.sql' %}
) as each_budget
group by segment_id
