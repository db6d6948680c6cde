-- Grain: one fetch of one account.
-- Why: freshness is read here, so that unchanged metrics need not be rewritten to prove that they were looked at.
insert into channel_fetches (channel, account, date_from, date_to, row_count, dag_run_id)
values (%(channel)s, %(account)s, %(first)s, %(last)s, %(rows)s, %(dag_run_id)s)
