-- Grain: one channel.
-- Why: held until the transaction ends, so that two processes never finish the same open changes at once.
select
    set_config('lock_timeout', '10min', true) as patience,
    pg_advisory_xact_lock(hashtextextended('channel_orchestration_log:' || %(channel)s::text, 0)) as held
