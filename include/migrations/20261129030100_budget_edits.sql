-- budget_edits: what people changed in the channel itself, one row per edit, as the account's change history tells it.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.budget_edits (
    channel text not null,
    account text not null,
    budget_id text not null,
    edited_at timestamptz not null,
    segment_id uuid references public.lead_segments (id) on delete restrict,
    edited_by text not null,
    old_value numeric(14, 6),
    new_value numeric(14, 6) not null,
    dag_run_id text not null,
    created_at timestamptz not null default now(),
    primary key (channel, account, budget_id, edited_at),
    constraint budget_edits_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint budget_edits_names_check check (account <> '' and budget_id <> ''),
    constraint budget_edits_old_value_check check (old_value >= 0 and old_value < 'Infinity'),
    constraint budget_edits_new_value_check check (new_value >= 0 and new_value < 'Infinity')
);

comment on table public.budget_edits is
'One row per edit of a budget that is not ours. Each is kept when a morning first reads it, with its own amounts, however many follow.';
comment on column public.budget_edits.segment_id is 'Whose budget it was when the edit was read; NULL = of no segment.';
comment on column public.budget_edits.edited_by is 'Who, as the channel shows it.';
comment on column public.budget_edits.old_value is 'EUR per day before; NULL = the history does not say.';
comment on column public.budget_edits.new_value is 'EUR per day after.';
comment on column public.budget_edits.dag_run_id is 'The run that read it first.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create index budget_edits_segment_idx on public.budget_edits (segment_id, edited_at);
create index budget_edits_edited_at_idx on public.budget_edits (edited_at);

-- Row level security: signed-in users read; the pipeline adds, and nobody rewrites one ------------------------------------

alter table public.budget_edits enable row level security;
revoke all on public.budget_edits from public, anon, authenticated, service_role, lead_pipeline;

grant select on public.budget_edits to authenticated, service_role;
create policy signed_in_users_read on public.budget_edits
for select to authenticated using (true);

grant select, insert on public.budget_edits to lead_pipeline;
create policy pipeline_reads on public.budget_edits
for select to lead_pipeline using (true);
create policy pipeline_inserts on public.budget_edits
for insert to lead_pipeline with check (true);
