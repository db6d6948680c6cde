-- Grain: one plan of a day in the window.
-- Why: the gap follows the leads as they are known now; a plan that does not change is not rewritten, and none is inserted.
select update_lead_gaps(%(first)s::date, %(last)s::date) as plans_changed
