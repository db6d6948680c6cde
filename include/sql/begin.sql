-- Grain: one transaction of the pipeline; every one of them begins with this. Times in milliseconds.
-- Why: local settings are all that a transaction pooler keeps apart. A lock or a statement that hangs ends before its task is killed; a
-- lower lock_timeout of the role or the database stays, because that is somebody's choice about who waits for whom.
select
    set_config('statement_timeout', %(statement_timeout)s::integer::text, true),
    set_config(
        'lock_timeout',
        least(
            nullif(extract(epoch from current_setting('lock_timeout')::interval) * 1000, 0), %(lock_timeout)s::integer
        )::integer::text,
        true
    ),
    set_config('idle_in_transaction_session_timeout', %(idle_timeout)s::integer::text, true),
    set_config('jit', 'off', true)
