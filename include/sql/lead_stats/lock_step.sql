-- Grain: one step of lead_stats at a time, over all its runs; released with the transaction.
-- Why: what a statement then reads is not older than what another run has just written, so overlapping runs leave what one run would.
select pg_advisory_xact_lock(hashtextextended('lead_stats ' || %(step)s, 0))
