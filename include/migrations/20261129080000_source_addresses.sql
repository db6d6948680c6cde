-- Loading thousands of sources at once: the check for overlaps no longer compares each of them with every other one.
-- Why: of a table that nobody has analyzed yet the planner believes that a handful of rows are of these channels, and loops over all pairs:
-- two thousand segments in one statement took a minute, ten thousand half an hour. Functions say how many rows they give, and no pair is
-- joined to its sources again.

set local lock_timeout = '5s';

create type private.covered_source as (
    id bigint, channel text, account text, external_id text, valid_from date, valid_to date,
    scope text, scope_host text, scope_path text, is_host boolean, host text, path text
);

-- The active sources of pages and microsites, each with what it covers.
create function private.source_addresses() returns setof private.covered_source
language plpgsql
stable
rows 10000
set search_path = ''
as $$
begin
    return query
    select
        s.id,
        s.channel,
        s.account,
        s.external_id,
        coalesce(s.valid_from, '-infinity'),
        coalesce(s.valid_to, 'infinity'),
        a.scope,
        a.scope_host,
        a.scope_path,
        a.is_host,
        a.host,
        a.path
    from public.channel_sources as s
    cross join lateral private.source_address(s.channel, s.account, s.external_id) as a
    where s.is_active and s.channel in ('search_console', 'ga4') and a.path is not null;
end
$$;
revoke all on function private.source_addresses() from public, anon, authenticated, service_role, lead_pipeline;

alter function private.source_paths_above(text) rows 4;

-- Every pair of active sources that would count one click twice on a day that both are valid, or of which one could never
-- count any. What two rows of the very same source share is refused by refuse_overlapping_source.
create or replace function private.source_overlaps()
returns table (id bigint, other_id bigint)
language sql
stable
set search_path = ''
as $$
    with addresses as materialized (
        select a as source from private.source_addresses() as a
    ),

    pairs as (
        -- The pages of one lie within those of the other.
        select
            nested.source as one,
            outer_one.source as two
        from addresses as nested
        cross join lateral private.source_paths_above((nested.source).path) as p (covered)
        inner join addresses as outer_one
            on (nested.source).channel = (outer_one.source).channel and p.covered = (outer_one.source).path
        where not (nested.source).is_host and not (outer_one.source).is_host
        union all
        -- A microsite covers every page of its host.
        select
            other.source,
            microsite.source
        from addresses as microsite
        inner join addresses as other
            on (microsite.source).channel = (other.source).channel and (microsite.source).host = (other.source).host
        where (microsite.source).is_host
    )

    select
        (one).id,
        (two).id
    from pairs
    where
        ((one).account, (one).external_id) <> ((two).account, (two).external_id)
        and (one).valid_from <= (two).valid_to
        and (two).valid_from <= (one).valid_to
        and coalesce((one).host = (two).host, true)
        and case
            -- Within one account the longest prefix wins, so that nesting counts nothing twice; equal pages do.
            when (one).account = (two).account then (one).path = (two).path or (one).is_host or (two).is_host
            -- Two properties of one scheme and host report on different pages where neither path lies within the other.
            when (one).scope = 'prefix' and (two).scope = 'prefix'
                then
                    (one).scope_host = (two).scope_host
                    and (
                        (one).scope_path in (select private.source_paths_above((two).scope_path))
                        or (two).scope_path in (select private.source_paths_above((one).scope_path))
                    )
            else true
        end
$$;
