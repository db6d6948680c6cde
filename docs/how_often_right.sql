-- Grain: one action (increase, decrease, hold) over half a year, then by week; only decisions whose 7 days are over.
-- Why: "how often were we right": whether promises hold, and whether changes bring leads nearer to their target more often than
-- luck would. What counts as made, and as judged, is said in the view budget_outcomes; lead_stats counts it by week in outcome_weeks.
select *
from how_often_right
order by week <> 'all', week desc, action
