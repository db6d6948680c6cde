-- The month's budget of a segment and of a branch, beside that of everything together; and how far each month is, said once for the three.

set local lock_timeout = '5s';

-- Settings -------------------------------------------------------------------------------------------------------------

-- What a month has cost is counted for Google Ads alone, so a limit on another channel would bind nothing.
alter table public.lead_segment_channels
add column monthly_budget numeric(14, 6),
add constraint lead_segment_channels_monthly_budget_check check (
    monthly_budget is null or (monthly_budget >= 0 and monthly_budget < 'Infinity' and channel = 'google_ads')
) not valid;

comment on column public.lead_segment_channels.monthly_budget is
'EUR that the segment may cost in a calendar month; NULL = no such limit. Of google_ads alone. See the view month_pace_of_segments.';

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.lead_branch_channels (
    country text not null default 'NL',
    branch text not null,
    channel text not null,
    monthly_budget numeric(14, 6),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (country, branch, channel),
    constraint lead_branch_channels_country_check check (country ~ '^[A-Z]{2}$'),
    constraint lead_branch_channels_branch_check check (branch ~ '^[a-z0-9]+([_-][a-z0-9]+)*$'),
    constraint lead_branch_channels_channel_check check (channel = 'google_ads'),
    constraint lead_branch_channels_monthly_budget_check check (monthly_budget >= 0 and monthly_budget < 'Infinity')
);

comment on table public.lead_branch_channels is
'One row per branch of a country and channel: what all segments of the branch together may cost, set by admins. Of google_ads alone; '
'a branch that no segment has is refused.';
comment on column public.lead_branch_channels.monthly_budget is
'EUR that the branch may cost in a calendar month; NULL = no such limit. See the view month_pace_of_branches.';

-- Who changed a limit --------------------------------------------------------------------------------------------------

alter table public.limit_changes
add column country text,
add column branch text;

comment on table public.limit_changes is
'One row per value that somebody changed in lead_segment_channels, lead_branch_channels, orchestration_settings or the target of a '
'plan. Written by triggers.';
comment on column public.limit_changes.segment_id is 'The segment of the row; NULL = lead_branch_channels or orchestration_settings.';
comment on column public.limit_changes.country is 'Of the branch, with which the row of lead_branch_channels is found; else NULL.';
comment on column public.limit_changes.branch is 'The branch of the row of lead_branch_channels; NULL = another table.';

create or replace function private.log_limit_change() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
    v_claims constant jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    v_old constant jsonb := coalesce(to_jsonb(old), '{}');
    v_new constant jsonb := coalesce(to_jsonb(new), '{}');
    v_row constant jsonb := case tg_op when 'DELETE' then v_old else v_new end;
    v_names constant text[] := '{id,segment_id,country,branch,channel,created_at,updated_at}';
begin
    insert into public.limit_changes (
        changed_by, table_name, segment_id, country, branch, channel, plan_date, column_name, old_value, new_value
    )
    select
        coalesce(
            v_claims ->> 'email', v_claims ->> 'sub', nullif(current_setting('role', true), 'none'), session_user
        ),
        tg_table_name,
        (v_row ->> 'segment_id')::uuid,
        v_row ->> 'country',
        v_row ->> 'branch',
        v_row ->> 'channel',
        (v_row ->> 'date')::date,
        found.name,
        v_old ->> found.name,
        v_new ->> found.name
    from jsonb_object_keys(v_old || v_new) as found (name)
    where v_old -> found.name is distinct from v_new -> found.name
        and coalesce(v_old ->> found.name, v_new ->> found.name) is not null
        and case
            when tg_table_name = 'lead_segment_plans' then found.name = 'target_leads_per_day'
            else found.name <> all(v_names)
        end;
    return null;
end
$$;
revoke all on function private.log_limit_change() from public, anon, authenticated, service_role, lead_pipeline;

create trigger log_limit_change after insert or update or delete on public.lead_branch_channels
for each row execute function private.log_limit_change();
create trigger set_updated_at before update on public.lead_branch_channels
for each row when (old.* is distinct from new.*) execute function private.set_updated_at();

-- A misspelt branch would be a limit that binds nothing.
create function private.guard_branch() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if not exists (select from public.lead_segments as s where s.country = new.country and s.branch = new.branch) then
        raise exception 'no segment has the branch % in %', new.branch, new.country
            using errcode = 'check_violation',
            detail = 'Nothing was written, and no budget is limited by it.',
            hint = 'Give country and branch as they are in lead_segments.';
    end if;
    return new;
end
$$;
revoke all on function private.guard_branch() from public, anon, authenticated, service_role, lead_pipeline;

create trigger guard_branch before insert or update of country, branch on public.lead_branch_channels
for each row execute function private.guard_branch();

-- Row level security: signed-in users read, admins insert and update, nobody deletes; the pipeline only reads ---------

alter table public.lead_branch_channels enable row level security;
revoke all on public.lead_branch_channels from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.lead_branch_channels to authenticated, service_role;
grant select on public.lead_branch_channels to lead_pipeline;

create policy signed_in_users_read on public.lead_branch_channels
for select to authenticated using (true);
create policy admins_insert on public.lead_branch_channels
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.lead_branch_channels
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));
create policy pipeline_reads on public.lead_branch_channels
for select to lead_pipeline using (true);

-- Views (invoker: the policies of the reader apply) -------------------------------------------------------------------

create view public.month_pace_levels
with (security_invoker = true) as
with month as (
    select
        date_trunc('month', public.lead_today()::timestamp)::date as first_day,
        public.lead_today() as today,
        (date_trunc('month', public.lead_today()::timestamp) + interval '1 month')::date - public.lead_today() as days_left
),

-- A budget that several segments use is counted once, with the first of them.
in_force as (
    select
        each_budget.segment_id,
        sum(each_budget.amount) as amount
    from (
        select distinct on (b.account, b.budget_id)
            s.segment_id,
            b.amount
        from public.channel_sources as s
        inner join public.lead_segments as g on s.segment_id = g.id and g.is_active
        inner join public.channel_budgets as b
            on s.channel = b.channel and s.account = b.account and s.external_id = b.campaign_id
        where
            s.channel = 'google_ads'
            and s.is_active
            and public.lead_today() between coalesce(s.valid_from, '-infinity') and coalesce(s.valid_to, 'infinity')
            and b.is_serving
        order by b.account, b.budget_id, s.segment_id
    ) as each_budget
    group by 1
),

-- From a week before the month on: what is known of a segment's spend, and since when it is asked for.
known as (
    select
        s.segment_id,
        min(s.date) as since,
        avg(s.google_ads_spend) filter (where s.date >= public.lead_today() - 7) as per_day,
        coalesce(
            sum(s.google_ads_spend) filter (where s.date >= date_trunc('month', public.lead_today()::timestamp)::date), 0
        ) as spent,
        count(*) filter (where s.date >= date_trunc('month', public.lead_today()::timestamp)::date) as days_read
    from public.lead_generation_stats as s
    where
        s.date >= date_trunc('month', public.lead_today()::timestamp)::date - 7
        and s.date < public.lead_today()
        and s.google_ads_spend is not null
    group by 1
),

-- A day whose spend is not known counts as the budget that was in force on it.
unread as (
    select
        k.segment_id,
        sum(
            coalesce(
                (
                    select p.actual_daily_budget_google_ads
                    from public.lead_segment_plans as p
                    where p.segment_id = k.segment_id and p.date = d.day::date
                ),
                f.amount
            )
        ) as spend
    from known as k
    cross join month
    cross join lateral generate_series(
        greatest(month.first_day, k.since)::timestamp, (month.today - 1)::timestamp, interval '1 day'
    ) as d (day)
    left join in_force as f on k.segment_id = f.segment_id
    -- Few segments lack a day: each of their days is looked up, and not joined to all that there are.
    where
        k.days_read < month.today - greatest(month.first_day, k.since)
        and (
            select s.google_ads_spend
            from public.lead_generation_stats as s
            where s.segment_id = k.segment_id and s.date = d.day::date
        ) is null
    group by 1
),

-- Google charges up to twice the budget on a day, and 30.4 budgets in a month whose budget stays.
by_segment as (
    select
        g.id as segment_id,
        g.country,
        g.branch,
        -- Looked up by their keys, whatever the statistics of their tables say.
        (
            select l.monthly_budget
            from public.lead_segment_channels as l
            where l.segment_id = g.id and l.channel = 'google_ads'
        ) as segment_budget,
        (
            select l.monthly_budget
            from public.lead_branch_channels as l
            where l.country = g.country and l.branch = g.branch and l.channel = 'google_ads'
        ) as branch_budget,
        k.per_day,
        coalesce(f.amount, 0) as in_force,
        coalesce(k.spent, 0) as spent,
        coalesce(u.spend, 0) as assumed,
        coalesce(
            least(
                2 * f.amount * month.days_left,
                greatest(f.amount * month.days_left, 30.4 * f.amount - coalesce(k.spent, 0) - coalesce(u.spend, 0))
            ),
            0
        ) as may_spend
    from public.lead_segments as g
    cross join month
    left join in_force as f on g.id = f.segment_id
    left join known as k on g.id = k.segment_id
    left join unread as u on g.id = u.segment_id
),

added_up as (
    select
        case grouping(segment_id, branch) when 1 then 'segment' when 2 then 'branch' else 'all' end as level,
        segment_id,
        country,
        branch,
        case grouping(segment_id, branch)
            when 1 then max(segment_budget)
            when 2 then max(branch_budget)
            else (select s.monthly_budget from public.orchestration_settings as s)
        end as monthly_budget,
        coalesce(sum(in_force), 0) as in_force,
        coalesce(sum(spent), 0) as spent,
        coalesce(sum(assumed), 0) as assumed,
        coalesce(sum(per_day), 0) as per_day,
        coalesce(sum(may_spend), 0) as may_spend
    from by_segment
    group by grouping sets ((segment_id), (country, branch), ())
)

select
    added_up.level,
    added_up.segment_id,
    added_up.country,
    added_up.branch,
    'google_ads'::text as channel,
    month.first_day as month,
    month.days_left,
    added_up.monthly_budget::numeric(14, 6) as monthly_budget,
    added_up.spent,
    added_up.assumed,
    added_up.in_force,
    added_up.spent + added_up.assumed + added_up.per_day * month.days_left as projected,
    added_up.spent + added_up.assumed + added_up.may_spend as at_most,
    case
        when added_up.monthly_budget is null then null
        -- A euro more on the budgets may cost 30.4 of them, or one for each day that is left; one less saves that much.
        when room.left_over >= 0 then added_up.in_force + room.left_over / greatest(30.4, month.days_left)
        else greatest(added_up.in_force + room.left_over / month.days_left, 0)
    end as month_cap
from added_up
cross join month
cross join lateral (
    select added_up.monthly_budget - added_up.spent - added_up.assumed - added_up.may_spend as left_over
) as room;

comment on view public.month_pace_levels is
'How far the calendar month is with Google Ads, in EUR: one row per segment, per branch of a country, and for all together.';
comment on column public.month_pace_levels.level is 'segment, branch or all; a row has the keys of its level.';
comment on column public.month_pace_levels.monthly_budget is 'Of this segment, branch or all; NULL = no such limit.';
comment on column public.month_pace_levels.month_cap is
'EUR per day that its budgets together may come to, so that its month''s budget is kept; NULL = no monthly budget.';

create or replace view public.month_pace
with (security_invoker = true) as
select
    levels.month,
    levels.days_left,
    levels.monthly_budget,
    levels.spent,
    levels.assumed,
    levels.in_force,
    levels.projected,
    levels.at_most,
    levels.month_cap as total_cap
from public.month_pace_levels as levels
where levels.level = 'all' and exists (select from public.orchestration_settings);

create view public.month_pace_of_segments
with (security_invoker = true) as
select
    s.code,
    levels.month,
    levels.days_left,
    levels.monthly_budget,
    levels.spent,
    levels.assumed,
    levels.in_force,
    levels.projected,
    levels.at_most,
    levels.month_cap
from public.month_pace_levels as levels
inner join public.lead_segments as s on levels.segment_id = s.id
where levels.level = 'segment';

comment on view public.month_pace_of_segments is
'One row per segment, active or not: how far its calendar month is with Google Ads, in EUR. Columns as in month_pace.';
comment on column public.month_pace_of_segments.month_cap is
'EUR per day that its budgets may come to, so that its month''s budget is kept; NULL = it has no monthly budget.';

create view public.month_pace_of_branches
with (security_invoker = true) as
select
    levels.country,
    levels.branch,
    levels.month,
    levels.days_left,
    levels.monthly_budget,
    levels.spent,
    levels.assumed,
    levels.in_force,
    levels.projected,
    levels.at_most,
    levels.month_cap
from public.month_pace_levels as levels
where levels.level = 'branch';

comment on view public.month_pace_of_branches is
'One row per branch of a country: how far its calendar month is with Google Ads, in EUR. Columns as in month_pace.';
comment on column public.month_pace_of_branches.month_cap is
'EUR per day that its budgets may come to, so that its month''s budget is kept; NULL = it has no monthly budget.';

create or replace view public.lead_segment_limits
with (security_invoker = true) as
select
    s.code,
    l.channel,
    l.is_automated,
    l.min_daily_budget,
    l.max_daily_budget,
    l.max_increase_pct,
    l.max_decrease_pct,
    l.cooldown_days,
    c.column_name as changed,
    c.old_value as changed_from,
    c.new_value as changed_to,
    c.changed_by,
    c.changed_at,
    l.monthly_budget,
    b.monthly_budget as branch_monthly_budget
from public.lead_segment_channels as l
inner join public.lead_segments as s on l.segment_id = s.id
left join public.lead_branch_channels as b
    on s.country = b.country and s.branch = b.branch and l.channel = b.channel
left join lateral (
    select
        m.column_name,
        m.old_value,
        m.new_value,
        m.changed_by,
        m.changed_at
    from public.limit_changes as m
    where
        m.segment_id = l.segment_id
        and m.channel = l.channel
        and m.table_name = 'lead_segment_channels'
    order by m.changed_at desc, m.id desc
    limit 1
) as c on true;

comment on column public.lead_segment_limits.monthly_budget is
'EUR that the segment may cost in a calendar month; NULL = no such limit, here and for its branch.';
comment on column public.lead_segment_limits.branch_monthly_budget is 'EUR that all segments of its branch together may cost in a month.';

-- Privileges -----------------------------------------------------------------------------------------------------------

revoke all on public.month_pace_levels, public.month_pace_of_segments, public.month_pace_of_branches
from public, anon, authenticated, service_role, lead_pipeline;
grant select on public.month_pace_levels to authenticated, service_role, lead_pipeline;
grant select on public.month_pace_of_segments, public.month_pace_of_branches to authenticated, service_role;
