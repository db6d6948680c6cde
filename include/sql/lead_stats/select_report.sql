-- Grain: one segment on the last day of the window.
-- Why: the last lines of the run's log, for the person who reads only those.
select
    segments.code as segment,
    stats.leads_generated as leads,
    stats.capacity_total_leads as capacity,
    plans.target_leads_per_day as target,
    plans.lead_gap as gap,
    round(stats.google_ads_spend, 2) as spend,
    stats.google_ads_clicks as clicks
from lead_segments as segments
left join lead_generation_stats as stats on segments.id = stats.segment_id and stats.date = %(last)s::date
left join lead_segment_plans as plans on segments.id = plans.segment_id and plans.date = %(last)s::date
where segments.is_active
order by plans.lead_gap desc nulls last, segments.code
