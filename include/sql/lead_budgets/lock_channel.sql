-- Grain: one channel.
-- Why: held until the transaction ends, so that two processes never finish the same open changes at once. The other one may take
-- minutes, so it is waited for up to ten, or for as long as this statement may last.
select
    set_config(
        'lock_timeout',
        least(
            600000, nullif(extract(epoch from current_setting('statement_timeout')::interval) * 900, 0)
        )::integer::text,
        true
    ) as patience,
    pg_advisory_xact_lock(hashtextextended('channel_orchestration_log:' || %(channel)s::text, 0)) as held
