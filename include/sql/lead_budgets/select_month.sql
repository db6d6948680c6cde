-- Grain: one row: the calendar month so far, all segments and paid channels together.
-- Why: whoever reads the day also reads whether the month's money lasts.
select
    month,
    monthly_budget,
    spent,
    assumed,
    projected,
    at_most
from month_pace
