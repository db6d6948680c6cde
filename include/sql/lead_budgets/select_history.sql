-- Grain: one (segment, day) of the planner's window, up to yesterday.
-- Why: stats as known this morning, with the leads that were paid for and the budget in force on the day. The window is said of
-- each table: a join carries a single day over to the other side, never a range.
select
    stats.segment_id::text as segment_id,
    stats.date,
    stats.leads_generated,
    stats.leads_accepted,
    stats.leads_rejected,
    stats.leads_pending,
    {% if spend_is_in_stats | default(true) -%}
    stats.google_ads_spend,
    {%- else -%}
    -- The channel has no column in the stats. An account that is missing on the day leaves its spend unknown, never a partial sum.
    case
        when paid.accounts >= (
            select count(distinct sources.account)
            from channel_sources as sources
            where
                sources.segment_id = stats.segment_id
                and sources.channel = %(channel)s
                and sources.is_active
                and stats.date between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
        ) then paid.spend
    end as google_ads_spend,
    {%- endif %}
    stats.capacity_total_leads,
    stats.capacity_absent_leads,
    stats.capacity_absent_week,
    case
        when leads.leads_by_source is not null
            then coalesce((leads.leads_by_source -> %(channel)s ->> 'generated')::int, 0)
    end as google_ads_leads,
    case
        when leads.leads_by_source is not null
            then coalesce((leads.leads_by_source -> 'unknown' ->> 'generated')::int, 0)
    end as leads_without_source,
    coalesce(plans.actual_daily_budget_google_ads, paid.daily_budget) as google_ads_budget
from lead_generation_stats as stats
left join channel_metrics as leads
    on
        stats.segment_id = leads.segment_id
        and stats.date = leads.date
        and leads.channel = 'leads'
        and leads.account = 'leads_db'
        and leads.date between %(first)s::date and lead_today() - 1
left join (
    select
        segment_id,
        date,
        -- What is not known of one account is not known of the sum.
        case when bool_and(daily_budget is not null) then sum(daily_budget) end as daily_budget,
        case when bool_and(spend is not null) then sum(spend) end as spend,
        count(*) as accounts
    from channel_metrics
    where
        channel = %(channel)s
        and date between %(first)s::date and lead_today() - 1
    group by segment_id, date
) as paid on stats.segment_id = paid.segment_id and stats.date = paid.date
left join lead_segment_plans as plans
    on
        stats.segment_id = plans.segment_id
        and stats.date = plans.date
        and plans.date between %(first)s::date and lead_today() - 1
where stats.date between %(first)s::date and lead_today() - 1
order by stats.segment_id, stats.date
