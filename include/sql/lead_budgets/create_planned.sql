-- Grain: one segment that the planner has just evaluated.
-- Why: decisions and plans are written from the same rows, in one transaction.
create temporary table planned (
    segment_id uuid not null,
    action text not null,
    is_blocked boolean not null,
    needs_approval boolean not null,
    old_budget numeric,
    new_budget numeric,
    target_leads_per_day numeric,
    expected_leads_per_day numeric,
    expected_low numeric,
    expected_high numeric,
    reasons text[] not null,
    sentence text not null,
    inputs jsonb not null
) on commit drop
