-- What was fetched today: the guard of the log asks it at each claim. Alone in its file: CONCURRENTLY refuses to run in a transaction.
-- IF NOT EXISTS would keep the invalid index of a failed attempt in silence, and a lock_timeout would make one.
-- squawk-ignore prefer-robust-stmts, require-lock-timeout
create index concurrently channel_fetches_fetched_at_idx on public.channel_fetches (fetched_at);
