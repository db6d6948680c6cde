-- Grain: one boolean for the last day of the window, of leads and Google Ads together.
-- Why: a day that is five times off what leads or Google Ads usually give is more likely an error than a day to decide on.
select count(*) = 0 as no_decision_input_is_unusual
from pipeline_findings
where name = 'channel_unusual' and level = 'stop' and date = %(last)s::date and last_seen >= %(since)s::timestamptz
