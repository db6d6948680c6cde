-- Grain: one question to a person, under Airflow's own id of the task instance that asks it.
-- Why: an answer is about what was shown, and of that nobody who can edit an XCom may be the only witness.
insert into approval_questions (id, channel, dag_run_id, asked)
values (%(question_id)s, %(channel)s, %(dag_run_id)s, %(asked)s)
on conflict (id) do nothing
