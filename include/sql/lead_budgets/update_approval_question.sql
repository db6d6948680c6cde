-- Grain: the question of one task instance.
-- Why: what Airflow's record says of the answer, written once; a second answer finds no row that is still open.
update approval_questions
set
    chosen = %(chosen)s,
    form = %(form)s,
    responder_id = %(responder_id)s,
    responder_name = %(responder_name)s,
    responded_at = %(responded_at)s,
    recorded_at = now()
where id = %(question_id)s and question_date = lead_today() and recorded_at is null
