-- Grain: one run of lead_budgets that decided today, or asked a person today.
-- Why: a question that is not of today asks about a morning that is over. A second run of a day may ask about what the first decided.
select dag_run_id
from public.budget_decisions
where decision_date = public.lead_today()
union
select dag_run_id
from public.approval_questions
where question_date = public.lead_today()
