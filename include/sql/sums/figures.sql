-- noqa: disable=all
-- Grain: one figure of a row `kept`, whose columns are those of kept.sql: metric, amount, segments.
-- Why: the figures by their names in `channel_totals`, written down once.
cross join lateral (
    values
    ('spend', kept.spend, kept.of_spend),
    ('impressions', kept.impressions, kept.of_impressions),
    ('clicks', kept.clicks, kept.of_clicks),
    ('conversions', kept.conversions, kept.of_conversions),
    ('sessions', kept.sessions, kept.of_sessions)
) as figure (metric, amount, segments)
