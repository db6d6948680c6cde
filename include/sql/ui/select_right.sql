-- Grain: a JSON list, one entry per action over half a year (week "all"), then by week, newest first.
-- Why: how often decisions were right, and whether luck would have done as well: the view how_often_right.
select coalesce(json_agg(to_json(answers) order by answers.week <> 'all', answers.week desc, answers.action), '[]')::text as how_often_right
from how_often_right as answers
