-- The pipeline reads the columns of leads that it counts by, and no other: what says who somebody is stays with the company.

-- Rather fail and be run again than queue the company's own writers behind a long reader.
set local lock_timeout = '2s';

-- Privileges: of the columns that include/sql/sources/leads.sql names, those that this table has ----------------------

-- Only the pipeline's own right on the whole table; what the company granted to others stays. An adapter that names other columns
-- needs another grant, which `make migrate` prints.
revoke select on public.leads from lead_pipeline;

do $$
declare
    v_columns text;
begin
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into v_columns
    from pg_catalog.pg_attribute as a
    where
        a.attrelid = 'public.leads'::regclass
        and a.attnum > 0
        and not a.attisdropped
        and a.attname in (
            'id', 'created_at', 'status', 'country', 'branch', 'region', 'postal_code', 'source_channel', 'segment_id'
        );
    execute format('grant select (%s) on public.leads to lead_pipeline', v_columns);
end
$$;

-- Functions ------------------------------------------------------------------------------------------------------------

-- Definer, because email and phone are compared here and nowhere else. It says which posts are of one contact by the id of one of
-- them. `make migrate` makes it again from the adapter; this is the one of a table with the usual columns.
do $$
begin
    begin
        create or replace function private.lead_contacts(p_first date, p_last date)
        returns table (lead_id text, contact text)
        language sql stable security definer
        set search_path = ''
        as $contacts$
        with posted as materialized (
            select
                source.lead_id::text as lead_id,
                source.created_at,
                source.contact::text as contact
            from (
        select
            leads.id as lead_id,
            public.lead_time(leads.created_at) as created_at,
            leads.status,
            leads.country,
            leads.branch,
            leads.region,
            leads.postal_code,
            leads.source_channel,
            leads.segment_id,
            lower(coalesce(nullif(trim(leads.email), ''), nullif(trim(leads.phone), ''))) || ' ' || coalesce(leads.branch, '') as contact
        from public.leads
            ) as source
            where
                source.contact is not null
                and source.created_at >= p_first::timestamp at time zone 'Europe/Amsterdam' - interval '10 minutes'
                and source.created_at < (p_last + 1)::timestamp at time zone 'Europe/Amsterdam'
        ),
        several as materialized (
            select contact
            from posted
            group by contact
            having count(*) > 1
        ),
        near as materialized (
            select
                lead_id,
                contact,
                created_at - lag(created_at) over (partition by contact order by created_at, lead_id) as since,
                lead(created_at) over (partition by contact order by created_at, lead_id) - created_at as until
            from posted
            where (contact in (select several.contact from several)) is true
        )
        select
            lead_id,
            min(lead_id) over (partition by contact) as contact
        from near
        where least(since, until) <= interval '10 minutes'
        $contacts$;
    exception
        -- A table that the adapter of this repository does not fit: until it is edited, no post is known to be double.
        when syntax_error_or_access_rule_violation then
        create function private.lead_contacts(p_first date, p_last date)
        returns table (lead_id text, contact text)
        language sql stable
        set search_path = ''
        as 'select null::text, null::text where p_first > p_last and false';
    end;
end
$$;

comment on function private.lead_contacts(date, date) is
'Which posts of these days are of one contact within ten minutes, by the id of one of them; no personal data leaves it. Made by '
'`make migrate` from include/sql/sources/leads.sql.';

revoke all on function private.lead_contacts(date, date) from public, anon, authenticated, service_role;
grant usage on schema private to lead_pipeline;
grant execute on function private.lead_contacts(date, date) to lead_pipeline;
