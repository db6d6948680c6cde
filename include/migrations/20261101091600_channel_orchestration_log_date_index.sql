-- The changes of a day: lead_budgets asks for those of today several times a run, and every other index begins with another column.
-- Alone in its file: CONCURRENTLY refuses to run in a transaction.
-- IF NOT EXISTS would keep the invalid index of a failed attempt in silence, and a lock_timeout would make one.
-- squawk-ignore prefer-robust-stmts, require-lock-timeout
create index concurrently channel_orchestration_log_date_idx on public.channel_orchestration_log (decision_date);
