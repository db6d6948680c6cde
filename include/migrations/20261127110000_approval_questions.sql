-- What a person was asked, and what Airflow's record of the question says of the answer, where no user of Airflow can change it.

set local lock_timeout = '5s';

-- Settings -------------------------------------------------------------------------------------------------------------

alter table public.orchestration_settings
add column approvers text[]
constraint orchestration_settings_approvers_check check (
    array_position(approvers, null) is null and array_position(approvers, '') is null
);
comment on column public.orchestration_settings.approvers is
'User ids of Airflow, as its record of an answer has them, of the people who may approve a large increase. NULL or {} = everybody '
'whose role in Airflow may answer a question.';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.approval_questions (
    id uuid primary key,
    channel text not null,
    question_date date not null default public.lead_today(),
    dag_run_id text not null,
    asked_at timestamptz not null default clock_timestamp(),
    asked jsonb not null,
    chosen text[],
    form jsonb,
    responder_id text,
    responder_name text,
    responded_at timestamptz,
    recorded_at timestamptz,
    constraint approval_questions_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint approval_questions_asked_check check (jsonb_typeof(asked) = 'array'),
    -- An answer is there as a whole or not at all; nobody in time is an answer without a responder.
    constraint approval_questions_answer_check check (
        (recorded_at is null) = (chosen is null)
        and (recorded_at is not null or (form is null and responder_id is null and responded_at is null))
        and (responder_name is null or responder_id is not null)
    )
);

comment on table public.approval_questions is
'One row per question about large increases, as it was shown, and the answer as Airflow recorded it, written once.';
comment on column public.approval_questions.id is 'Airflow''s id of the task instance that asked: the key of its own record.';
comment on column public.approval_questions.asked is
'The increases shown: decision_id, segment, old_budget, new_budget (EUR per day). An answer is about these and no others.';
comment on column public.approval_questions.chosen is 'The options chosen; NULL = no answer is known, which approves nothing.';
comment on column public.approval_questions.form is 'The other fields of the form, as they were given.';
comment on column public.approval_questions.responder_id is 'User id in Airflow; NULL with an answer = nobody answered in time.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create index approval_questions_run_idx on public.approval_questions (dag_run_id);

-- The guard: binds everybody; an answer counts once, and a question is what it was when it was asked ------------------

create function private.guard_approval_question() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_answer constant text[] := '{chosen,form,responder_id,responder_name,responded_at,recorded_at}';
begin
    if old.recorded_at is not null then
        raise exception 'question % of run % is answered, and an answer counts once', old.id, old.dag_run_id
            using errcode = 'object_not_in_prerequisite_state',
            detail = 'The answer was left as it was.',
            hint = 'Start a new run of lead_budgets: it asks about what still waits.';
    end if;
    if to_jsonb(new) - v_answer <> to_jsonb(old) - v_answer then
        raise exception 'question % of run % was asked and may not be rewritten', old.id, old.dag_run_id
            using errcode = 'restrict_violation',
            detail = 'The question was left as it was.',
            hint = 'Start a new run of lead_budgets: it asks a question of its own.';
    end if;
    return new;
end
$$;

revoke all on function private.guard_approval_question() from public, anon, authenticated, service_role;

create trigger guard before update on public.approval_questions
for each row execute function private.guard_approval_question();
create trigger guard_delete before delete on public.approval_questions
for each statement execute function private.guard_log_delete();
create trigger guard_truncate before truncate on public.approval_questions
for each statement execute function private.guard_log_delete();

-- Row level security: signed-in users read; the pipeline alone asks, and writes down what Airflow recorded -------------

alter table public.approval_questions enable row level security;
revoke all on public.approval_questions from public, anon, authenticated, service_role, lead_pipeline;

grant select on public.approval_questions to authenticated, service_role;
create policy signed_in_users_read on public.approval_questions
for select to authenticated using (true);

grant select, insert, update (chosen, form, responder_id, responder_name, responded_at, recorded_at)
on public.approval_questions to lead_pipeline;
create policy pipeline_reads on public.approval_questions
for select to lead_pipeline using (true);
create policy pipeline_asks_today on public.approval_questions
for insert to lead_pipeline with check (question_date = (select public.lead_today()) and recorded_at is null);
create policy pipeline_records_today on public.approval_questions
for update to lead_pipeline
using (question_date = (select public.lead_today())) with check (recorded_at is not null);
