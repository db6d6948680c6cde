-- The holds of a span of days, counted and paged without reading the decisions themselves, which are wide. Alone in its file:
-- CONCURRENTLY refuses to run in a transaction.
-- IF NOT EXISTS would keep the invalid index of a failed attempt in silence, and a lock_timeout would make one.
-- squawk-ignore prefer-robust-stmts, require-lock-timeout
create index concurrently budget_decisions_holds_idx on public.budget_decisions (decision_date, segment_id) where action = 'hold';
