-- Grain: the last question that a run asked today.
-- Why: an answer to an earlier one of the same run counts no more; without recorded_at there is no answer, whatever a task's state says.
select
    id,
    asked_at,
    asked,
    chosen,
    form,
    responder_id,
    responder_name,
    responded_at,
    recorded_at is not null as is_answered
from approval_questions
where channel = %(channel)s and dag_run_id = %(dag_run_id)s and question_date = lead_today()
order by asked_at desc
limit 1
