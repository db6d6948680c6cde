-- The last reports, without a walk through all there are. Alone in its file: CONCURRENTLY refuses to run in a transaction.
-- IF NOT EXISTS would keep the invalid index of a failed attempt in silence, and a lock_timeout would make one.
-- squawk-ignore prefer-robust-stmts, require-lock-timeout
create index concurrently backtest_results_replayed_at_idx on public.backtest_results (replayed_at, run_id);
