-- Grain: one active segment.
-- Why: a code that is mistyped is answered with those that are near it.
select code
from public.lead_segments
where is_active
order by code;
