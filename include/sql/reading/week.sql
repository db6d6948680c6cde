-- noqa: disable=all
-- Grain: one row: leads per day over the week of the decision `decision`: target, what is expected, and its interval.
-- Why: a budget is chosen for the week, so what people compare with a decision is the week's, not that of its one weekday.
select
    coalesce(nullif(of_week.target_week, 'NaN'), {{ decision }}.target_leads_per_day) as target,
    coalesce(nullif(of_week.expected_week, 'NaN'), {{ decision }}.expected_leads_per_day) as expected,
    {{ decision }}.expected_low * scaled.by as low,
    {{ decision }}.expected_high * scaled.by as high
from jsonb_to_record({{ decision }}.inputs) as of_week (target_week numeric, expected_week numeric)
cross join lateral (
    select coalesce(nullif(of_week.expected_week, 'NaN') / nullif({{ decision }}.expected_leads_per_day, 0), 1) as by
) as scaled
