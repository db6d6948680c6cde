-- Grain: the one day before which nothing is restated.
-- Why: a mistyped year is refused before anything is read. Settings that are missing stop budgets, not statistics.
select coalesce(
    (select earliest_day from orchestration_settings),
    date '2015-01-01'
) as earliest_day
