-- The few days on which a whole account was silent: looked at in each run. Alone in its file: CONCURRENTLY refuses a transaction.
-- IF NOT EXISTS would keep the invalid index of a failed attempt in silence, and a lock_timeout would make one.
-- squawk-ignore prefer-robust-stmts, require-lock-timeout
create index concurrently channel_metrics_is_empty_idx on public.channel_metrics (date, channel, account) where is_empty;
