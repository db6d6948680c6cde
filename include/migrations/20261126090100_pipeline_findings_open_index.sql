-- The open findings of a check: each check asks for its own, and pages and logs show no others.
-- Alone in its file: CONCURRENTLY refuses to run in a transaction.
-- IF NOT EXISTS would keep the invalid index of a failed attempt in silence, and a lock_timeout would make one.
-- squawk-ignore prefer-robust-stmts, require-lock-timeout
create index concurrently pipeline_findings_open_idx on public.pipeline_findings (name, channel) where resolved_at is null;
