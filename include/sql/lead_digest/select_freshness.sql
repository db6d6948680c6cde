-- Grain: one account of one channel that active segments use; leads and capacity come from the company's own database.
-- Why: the digest says how old each channel's numbers are.
{% set day, within = 'lead_today()', 7 %}
select
    newest.channel,
    newest.account,
    newest.last_day,
    newest.fetched_at,
    coalesce(newest.last_day >= lead_today() - 1, false) as is_fresh
from (
    {% include 'reading/newest_fetches.sql' %}
) as newest
order by newest.channel, newest.account
