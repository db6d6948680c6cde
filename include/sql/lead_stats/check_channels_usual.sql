-- Grain: one row about the last day of the window: whether the rule holds, what breaks it, and what a person does about that.
-- Why: a day that is five times off what leads or Google Ads usually give is more likely an error than a day to decide on.
select
    count(*) = 0 as ok,
    string_agg(distinct detail, ' ') as detail,
    string_agg(distinct remediation, ' ') as remediation
from pipeline_findings
where name = 'channel_unusual' and level = 'stop' and date = %(last)s::date and last_seen >= %(since)s::timestamptz
