-- Grain: one step of lead_stats at a time, over all its runs; lock and memory are released with the transaction.
-- Why: what a statement then reads is not older than what another run has just written, and a month of 10,000 segments needs no disk.
select
    pg_advisory_xact_lock(hashtextextended('lead_stats ' || %(step)s, 0)),
    set_config('work_mem', '48MB', true)
