-- Grain: one segment that a question about large increases showed.
-- Why: an answer may leave out these and no others.
select shown.segment
from approval_questions as questions
cross join lateral jsonb_to_recordset(questions.asked) as shown (segment text)
where questions.id = %(question_id)s::uuid
order by shown.segment
