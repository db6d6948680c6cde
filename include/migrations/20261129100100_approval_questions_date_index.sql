-- The open question of a day, as the page looks it up. Alone in its file: CONCURRENTLY refuses to run in a transaction.
-- IF NOT EXISTS would keep the invalid index of a failed attempt in silence, and a lock_timeout would make one.
-- squawk-ignore prefer-robust-stmts, require-lock-timeout
create index concurrently approval_questions_question_date_idx on public.approval_questions (question_date);
