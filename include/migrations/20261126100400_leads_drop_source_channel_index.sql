-- Its successor takes text of any length. Alone in its file: CONCURRENTLY refuses to run in a transaction.
-- squawk-ignore require-lock-timeout
drop index concurrently if exists public.leads_source_channel_idx;
