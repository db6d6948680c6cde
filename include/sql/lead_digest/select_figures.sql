-- Grain: one row about the days from first to last, of all active segments.
-- Why: what came in against what was wanted, and what it cost; what is not known is counted and not taken for 0. The target is that of
-- the segments and days whose gap is known, so that target, leads and gap of one line belong together.
select
    count(*) as rows,
    sum(stats.leads_generated) as leads,
    count(*) filter (where stats.leads_generated is null) as leads_unknown,
    sum(plans.target_leads_per_day) filter (where plans.lead_gap is not null) as target,
    sum(plans.lead_gap) as gap,
    count(*) filter (where plans.lead_gap is null) as gap_unknown,
    sum(stats.google_ads_spend) as spend,
    count(*) filter (where sourced.has_campaign and stats.google_ads_spend is null) as spend_unknown
from lead_segments as segments
cross join generate_series(%(first)s::date, %(last)s::date, interval '1 day') as days (day)
left join lead_generation_stats as stats
    on segments.id = stats.segment_id and stats.date = days.day::date and stats.date between %(first)s::date and %(last)s::date
left join lead_segment_plans as plans
    on segments.id = plans.segment_id and plans.date = days.day::date and plans.date between %(first)s::date and %(last)s::date
cross join lateral (
    select
        exists (
            select 1
            from channel_sources as sources
            where
                sources.segment_id = segments.id
                and sources.channel = 'google_ads'
                and sources.is_active
                and days.day::date between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
        ) as has_campaign
) as sourced
where segments.is_active
