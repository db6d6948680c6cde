-- noqa: disable=all
-- Grain: columns of a query over `channel_metrics as metrics`, grouped: what is kept of each figure, and of how many segments.
-- Why: a row without figures is kept for a segment that got none of that day.
sum(metrics.spend) as spend,
sum(metrics.impressions) as impressions,
sum(metrics.clicks) as clicks,
sum(metrics.conversions) as conversions,
sum(metrics.visits + metrics.microsite_visits) as sessions,
count(metrics.spend) as of_spend,
count(metrics.impressions) as of_impressions,
count(metrics.clicks) as of_clicks,
count(metrics.conversions) as of_conversions,
count(metrics.visits) as of_sessions
