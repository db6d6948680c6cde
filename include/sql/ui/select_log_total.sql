-- Grain: one row, in JSON: how many entries the filters of the log leave, and everybody who is named in them.
-- Why: "1,204 changes" above the list, and the names that the list can be filtered by.
select
    count(*)::text as total,
    coalesce(json_agg(distinct entries.who) filter (where entries.who is not null), '[]')::text as who
from (
    {% include 'reading/log_entries.sql' %}
) as entries
