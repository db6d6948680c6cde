-- The leads of a channel, whatever text it is: a B-tree refuses the row whose text is longer than a third of a page, and with it
-- the company's own insert. Alone in its file: CONCURRENTLY refuses to run in a transaction.
-- squawk-ignore prefer-robust-stmts, require-lock-timeout
create index concurrently leads_source_channel_any_idx on public.leads using brin (source_channel text_bloom_ops);
