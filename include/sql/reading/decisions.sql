-- noqa: disable=all
-- Grain: one day of a segment that was evaluated: of its evaluations the one that counts. `which` says of which segments, channel, days.
-- Why: a segment that was blocked may be evaluated again the same day; the one that was not blocked is its decision, else the last.
select distinct on (evaluated.segment_id, evaluated.channel, evaluated.decision_date) evaluated.*
from budget_decisions as evaluated
where {{ which }}
order by evaluated.segment_id, evaluated.channel, evaluated.decision_date, evaluated.is_blocked, evaluated.evaluated_at desc
