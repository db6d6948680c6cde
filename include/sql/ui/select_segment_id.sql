-- Grain: one segment by its code.
-- Why: every other figure of a segment is asked by its id; no row = there is no such segment.
select id
from lead_segments
where code = %(code)s
