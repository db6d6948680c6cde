-- Reverts since a day, and those of one segment: read for every row that a person is shown. Alone in its file: CONCURRENTLY refuses to
-- run in a transaction.
-- squawk-ignore prefer-robust-stmts, require-lock-timeout
create index concurrently channel_orchestration_log_revert_days_idx on public.channel_orchestration_log (
    decision_date, segment_id
)
where kind = 'revert';
