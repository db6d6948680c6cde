-- One claim per kind, budget and day; what people did by hand they may record as often as they did it. Alone in its file: CONCURRENTLY
-- refuses to run in a transaction.
-- squawk-ignore prefer-robust-stmts, require-lock-timeout
create unique index concurrently channel_orchestration_log_claimed_key on public.channel_orchestration_log (
    channel, external_id, decision_date, kind
)
where kind <> 'manual';
