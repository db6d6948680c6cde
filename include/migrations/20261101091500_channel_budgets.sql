-- channel_budgets: every campaign's budget as lead_budgets read it this morning; what a decision was made on, and what was last in force.

set local lock_timeout = '5s';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.channel_budgets (
    channel text not null,
    account text not null,
    campaign_id text not null,
    campaign_name text,
    budget_id text not null,
    amount numeric(14, 6) not null,
    campaigns_on_budget integer not null,
    is_budget_limited boolean,
    is_learning boolean not null,
    is_serving boolean not null,
    currency text not null,
    time_zone text not null,
    changed_at timestamptz,
    changed_by text,
    dag_run_id text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (channel, account, campaign_id),
    constraint channel_budgets_channel_check check (channel ~ '^[a-z][a-z0-9_]*$'),
    constraint channel_budgets_amount_check check (amount >= 0 and amount < 'Infinity'),
    constraint channel_budgets_campaigns_check check (campaigns_on_budget >= 0),
    constraint channel_budgets_names_check check (account <> '' and campaign_id <> '' and budget_id <> '')
);

comment on table public.channel_budgets is
'One row a campaign with its budget as last read. Rows of another dag_run_id than the deciding run are not used for a decision.';
comment on column public.channel_budgets.amount is 'EUR a day in force when last read or settled.';
comment on column public.channel_budgets.campaigns_on_budget is
'How many campaigns the budget pays for; more than the segment has on it = shared with another segment.';
comment on column public.channel_budgets.is_budget_limited is 'Whether the campaign could spend more; NULL = the channel did not say.';
comment on column public.channel_budgets.changed_by is 'Who last changed the budget besides this pipeline, if anybody lately.';

-- Indexes --------------------------------------------------------------------------------------------------------------

create index channel_budgets_budget_id_idx on public.channel_budgets (channel, budget_id);

-- Kept by the database -------------------------------------------------------------------------------------------------

create trigger set_updated_at before update on public.channel_budgets
for each row when (old.* is distinct from new.*) execute function private.set_updated_at();

-- Row level security: signed-in users read, the pipeline writes, nobody deletes ---------------------------------------

alter table public.channel_budgets enable row level security;
revoke all on public.channel_budgets from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.channel_budgets to authenticated, service_role;
create policy signed_in_users_read on public.channel_budgets
for select to authenticated using (true);
create policy admins_insert on public.channel_budgets
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.channel_budgets
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

grant select, insert, update on public.channel_budgets to lead_pipeline;
create policy pipeline_reads on public.channel_budgets
for select to lead_pipeline using (true);
create policy pipeline_inserts on public.channel_budgets
for insert to lead_pipeline with check (true);
create policy pipeline_updates on public.channel_budgets
for update to lead_pipeline using (true) with check (true);
