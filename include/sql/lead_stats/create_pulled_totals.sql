-- Grain: one (day, metric) of the account that is being pulled.
-- Why: what belongs to no segment, and what the source says of the whole account, is kept beside what the segments got.
create temporary table pulled_totals (
    date date not null,
    metric text not null,
    is_read boolean not null,
    in_none numeric not null,
    not_counted numeric not null,
    left_out numeric,
    reported numeric,
    tolerance numeric not null,
    level text not null
) on commit drop
