-- Grain: the rest of one transaction, whose statements work on whole days of all segments.
-- Why: of rows just written there are no statistics; the planner expects one and would compare each with each.
select set_config('enable_nestloop', 'off', true)
