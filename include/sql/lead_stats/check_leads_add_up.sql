-- Grain: one row about the window: whether accepted, rejected and pending leads add up to all leads, and where not.
-- Why: a lead has one status; where the three do not make all leads, one was counted twice or not at all.
select
    count(*) = 0 as ok,
    format(
        '%%s row(s) of lead_generation_stats do not add up, such as %%s.',
        count(*),
        array_to_string(
            (
                array_agg(
                    format(
                        '%%s on %%s (%%s accepted + %%s rejected + %%s pending, %%s generated)',
                        segments.code,
                        stats.date,
                        coalesce(stats.leads_accepted::text, 'unknown'),
                        coalesce(stats.leads_rejected::text, 'unknown'),
                        coalesce(stats.leads_pending::text, 'unknown'),
                        coalesce(stats.leads_generated::text, 'unknown')
                    )
                    order by stats.date desc, segments.code
                )
            )[1:5],
            ', '
        )
    ) as detail
from lead_generation_stats as stats
inner join lead_segments as segments on stats.segment_id = segments.id
where
    stats.date between %(first)s::date and %(last)s::date
    and stats.leads_accepted + stats.leads_rejected + stats.leads_pending is distinct from stats.leads_generated
