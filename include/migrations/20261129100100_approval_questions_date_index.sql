-- The page looks up the open question of a day.
create index concurrently approval_questions_question_date_idx on public.approval_questions (question_date);
