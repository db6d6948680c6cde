-- Grain: a JSON list, one entry per account of a channel that active segments use, as it was at the end of the bound day.
-- Why: whether the data of a morning could be trusted; leads and capacity come from the company's own database.
{% set day %}%(day)s::date{% endset %}
{%- set within = 14 %}
select
    coalesce(
        json_agg(
            json_build_object(
                'channel', newest.channel,
                'account', newest.account,
                'last_day', newest.last_day,
                'fetched_at', newest.fetched_at,
                'is_fresh', coalesce(newest.last_day >= %(day)s::date - 1, false),
                'is_paid', exists (select from channel_budgets where channel_budgets.channel = newest.channel)
            )
            order by newest.channel, newest.account
        ),
        '[]'
    )::text as freshness
from (
    {% include 'reading/newest_fetches.sql' %}
) as newest
