-- Grain: one (segment, day) of the account that is being pulled and was not believed.
-- Why: an earlier value of it may still be kept, which is not of today's sum.
create temporary table pulled_left_out (
    segment_id uuid not null,
    date date not null
) on commit drop
