-- noqa: disable=all
-- Grain: one figure of a row `held`, whose columns are those of held.sql: metric, amount, segments.
-- Why: the figures by their names in `channel_totals`, written down once.
cross join lateral (
    values
    ('spend', held.spend, held.of_spend),
    ('impressions', held.impressions, held.of_impressions),
    ('clicks', held.clicks, held.of_clicks),
    ('conversions', held.conversions, held.of_conversions),
    ('sessions', held.sessions, held.of_sessions)
) as figure (metric, amount, segments)
