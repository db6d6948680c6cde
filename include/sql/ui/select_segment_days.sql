-- Grain: a JSON list, one array per day of one segment, oldest first; the columns are named beside it, in `columns`.
-- Why: the chart and its table. A day without a row of statistics is unknown, not zero; arrays keep 90 days below 20 KB.
select
    to_json(
        array[
            'date', 'target', 'expected', 'low', 'high', 'leads', 'accepted', 'rejected', 'pending', 'spend', 'budget', 'target_any',
            'final', 'capacity', 'partners'
        ]
    )::text as columns,
    json_agg(
        json_build_array(
            days.day::date,
            trim_scale(decisions.target_leads_per_day),
            trim_scale(decisions.expected_leads_per_day),
            trim_scale(decisions.expected_low),
            trim_scale(decisions.expected_high),
            stats.leads_generated,
            stats.leads_accepted,
            stats.leads_rejected,
            stats.leads_pending,
            trim_scale(stats.google_ads_spend),
            trim_scale(coalesce(plans.actual_daily_budget_google_ads, metrics.daily_budget)),
            -- A plan has it in whole leads.
            trim_scale(coalesce(decisions.target_leads_per_day, plans.target_leads_per_day)),
            metrics.is_final,
            stats.capacity_total_leads,
            stats.capacity_partners
        )
        order by days.day
    )::text as days
from generate_series(
    (%(day)s::date - %(days)s::integer)::timestamp, (%(day)s::date - 1)::timestamp, interval '1 day'
) as days (day)
left join lead_generation_stats as stats on stats.segment_id = %(segment)s::uuid and stats.date = days.day::date
left join lead_segment_plans as plans on plans.segment_id = %(segment)s::uuid and plans.date = days.day::date
left join (
    {%- set which %}
        evaluated.segment_id = %(segment)s::uuid
        and evaluated.channel = %(channel)s
        and evaluated.decision_date between %(day)s::date - %(days)s::integer and %(day)s::date - 1
    {%- endset %}
    {% include 'reading/decisions.sql' %}
) as decisions on days.day::date = decisions.decision_date
left join (
    select
        reported.date,
        sum(reported.daily_budget) filter (where reported.channel = %(channel)s) as daily_budget,
        bool_and(reported.is_final) as is_final
    from channel_metrics as reported
    where
        reported.segment_id = %(segment)s::uuid
        and reported.channel in (%(channel)s, 'leads')
        and reported.date between %(day)s::date - %(days)s::integer and %(day)s::date - 1
    group by reported.date
) as metrics on days.day::date = metrics.date
