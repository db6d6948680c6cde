-- A click counts once: pages, hosts and sites are compared in one spelling, and two sources that cover the same pages are refused.

set local lock_timeout = '5s';

-- One spelling: twins of `host` and `path` in plugins/lead_demand/channels/addresses.py ------------------------------------

create function private.source_host(host text) returns text
language sql
stable
set search_path = ''
as $$
    -- The collation keeps lower() to ASCII, as host names are.
    select
        case
            when named.host like 'www.%' and position('.' in substr(named.host, 5)) > 0 then substr(named.host, 5)
            else named.host
        end
    from (
        select rtrim(regexp_replace(lower(btrim($1, ' ') collate "C"), ':[0-9]*$', ''), '.') as host
    ) as named
$$;

create function private.source_path(path text) returns text
language plpgsql
stable
set search_path = ''
as $$
declare
    v_raw constant text := split_part(split_part($1, '#', 1), '?', 1);
    v_plain text := lower(v_raw collate "C");
    v_segment text;
    v_segments text[] := '{}';
begin
    -- Printable ASCII needs no decoding, and is what nearly every prefix is made of.
    if v_raw ~ '[^!-$&-~]' then
        select coalesce(string_agg(
            case
                when token.is_escape and token.value > 32 and token.value < 127 and token.value not in (35, 37, 47, 63, 92)
                    then lower(chr(token.value) collate "C")
                when not token.is_escape and token.octets ~ '^(2[1-46-9a-f]|[3-6][0-9a-f]|7[0-9a-e])$'
                    then lower(token.text collate "C")
                else regexp_replace(case when token.is_escape then substr(token.text, 2) else token.octets end, '(..)', '%\1', 'g')
            end, '' order by token.place
        ), '') into v_plain
        from (
            select
                found.place,
                found.token[1] as text,
                length(found.token[1]) = 3 as is_escape,
                case
                    when length(found.token[1]) = 3
                        then get_byte(decode(substr(found.token[1], 2), 'hex'), 0)
                end as value,
                encode(convert_to(found.token[1], 'UTF8'), 'hex') as octets
            from regexp_matches(v_raw, '%[0-9A-Fa-f]{2}|.', 'g') with ordinality as found (token, place)
        ) as token;
        v_plain := lower(v_plain collate "C");
    end if;
    foreach v_segment in array string_to_array(v_plain, '/') loop
        if v_segment = '..' then
            v_segments := v_segments[:cardinality(v_segments) - 1];
        elsif v_segment not in ('', '.') then
            v_segments := v_segments || v_segment;
        end if;
    end loop;
    if v_segments[cardinality(v_segments)] in ('index.html', 'index.htm', 'index.php') then
        v_segments := v_segments[:cardinality(v_segments) - 1];
    end if;
    return '/' || array_to_string(v_segments, '/');
end
$$;

-- What a row of channel_sources covers ---------------------------------------------------------------------------------

-- `scope`: which addresses the account reports on: `domain` a host and all below it, `prefix` one scheme, host and path,
-- `property` whatever carries its tag. `host` is NULL where the property's site is meant. A microsite covers its host.
create function private.source_address(
    channel text, account text, external_id text,
    out scope text, out scope_host text, out scope_path text,
    out is_host boolean, out host text, out path text
)
language plpgsql
stable
set search_path = ''
as $$
declare
    v_rest text;
begin
    is_host := false;
    if $1 = 'search_console' then
        if $2 like 'sc-domain:%' then
            scope := 'domain';
            scope_host := private.source_host(substr($2, 11));
            scope_path := '/';
        elsif $2 ~ '^https?://[^/]' then
            scope := 'prefix';
            v_rest := regexp_replace($2, '^https?://', '');
            -- Scheme, www. and port tell such properties apart: their pages are not each other's.
            scope_host := split_part($2, '://', 1) || '://' || lower(split_part(v_rest, '/', 1) collate "C");
            scope_path := private.source_path(substr(v_rest, length(split_part(v_rest, '/', 1)) + 1));
        else
            return;
        end if;
        v_rest := regexp_replace($3, '^https?:(?=//)', '');
        if v_rest like '//_%' then
            v_rest := substr(v_rest, 3);
            host := private.source_host(split_part(v_rest, '/', 1));
            path := private.source_path(substr(v_rest, length(split_part(v_rest, '/', 1)) + 1));
        elsif v_rest like '/%' then
            host := case when scope = 'domain' then scope_host else private.source_host(split_part(scope_host, '://', 2)) end;
            path := private.source_path(v_rest);
        end if;
    elsif $1 = 'ga4' then
        scope := 'property';
        if $3 like 'path://_%' then
            v_rest := substr($3, 8);
            host := private.source_host(split_part(v_rest, '/', 1));
            path := private.source_path(substr(v_rest, length(split_part(v_rest, '/', 1)) + 1));
        elsif $3 like 'path:/%' then
            path := private.source_path(substr($3, 6));
        elsif $3 not like 'path:%' then
            is_host := true;
            host := private.source_host($3);
            path := '/';
        end if;
    end if;
end
$$;

-- A path and every path above it: /a/b gives /, /a and /a/b.
create function private.source_paths_above(path text) returns setof text
language sql
stable
set search_path = ''
as $$
    select '/' || array_to_string((string_to_array(ltrim($1, '/'), '/'))[:depth], '/')
    from generate_series(0, case when $1 = '/' then 0 else cardinality(string_to_array(ltrim($1, '/'), '/')) end) as depth
$$;

-- Every pair of active sources that would count one click twice on a day that both are valid, or of which one could never
-- count any. What two rows of the very same source share is refused by refuse_overlapping_source.
create function private.source_overlaps()
returns table (id bigint, other_id bigint)
language sql
stable
set search_path = ''
as $$
    with addresses as materialized (
        select
            s.id,
            s.channel,
            s.account,
            s.external_id,
            coalesce(s.valid_from, '-infinity') as valid_from,
            coalesce(s.valid_to, 'infinity') as valid_to,
            a.*
        from public.channel_sources as s
        cross join lateral private.source_address(s.channel, s.account, s.external_id) as a
        where s.is_active and s.channel in ('search_console', 'ga4') and a.path is not null
    ),

    pairs as (
        -- The pages of one lie within those of the other.
        select
            nested.id,
            outer_one.id as other_id
        from addresses as nested
        cross join lateral private.source_paths_above(nested.path) as p (covered)
        inner join addresses as outer_one
            on nested.channel = outer_one.channel and p.covered = outer_one.path and not outer_one.is_host
        where not nested.is_host
        union all
        -- A microsite covers every page of its host.
        select
            other.id,
            microsite.id
        from addresses as microsite
        inner join addresses as other on microsite.channel = other.channel and microsite.host = other.host
        where microsite.is_host
    )

    select
        one.id,
        two.id
    from pairs
    inner join addresses as one on pairs.id = one.id
    inner join addresses as two on pairs.other_id = two.id
    where
        (one.account, one.external_id) <> (two.account, two.external_id)
        and one.valid_from <= two.valid_to
        and two.valid_from <= one.valid_to
        and coalesce(one.host = two.host, true)
        and case
            -- Within one account the longest prefix wins, so that nesting counts nothing twice; equal pages do.
            when one.account = two.account then one.path = two.path or one.is_host or two.is_host
            -- Two properties of one scheme and host report on different pages where neither path lies within the other.
            when one.scope = 'prefix' and two.scope = 'prefix'
                then
                    one.scope_host = two.scope_host
                    and (
                        one.scope_path in (select private.source_paths_above(two.scope_path))
                        or two.scope_path in (select private.source_paths_above(one.scope_path))
                    )
            else true
        end
$$;

-- Refused where it is configured -----------------------------------------------------------------------------------------

-- As the owner: whoever edits the table has no access to the schema `private`.
create function private.guard_channel_sources() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    v_found record;
begin
    if not exists (select from changed as c where c.is_active and c.channel in ('search_console', 'ga4')) then
        return null;
    end if;
    -- Two people who add a source at the same moment would not see each other's row.
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('channel_sources'));

    select c.channel, c.account, c.external_id, a.scope, a.path, a.scope_host, a.host into v_found
    from changed as c
    cross join lateral private.source_address(c.channel, c.account, c.external_id) as a
    where
        c.is_active and c.channel in ('search_console', 'ga4')
        and (
            a.path is null
            or a.host !~ '^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$'
            or (c.external_id ~ '^(path:|https?:)?//' and a.host !~ '\.')
            or (a.is_host and a.host !~ '\.')
            or (a.scope = 'domain' and a.host <> a.scope_host and right(a.host, length(a.scope_host) + 1) <> '.' || a.scope_host)
            or (a.scope = 'prefix' and a.host <> private.source_host(split_part(a.scope_host, '://', 2)))
        )
    order by c.channel, c.account, c.external_id
    limit 1;
    if found then
        raise exception '% % has no pages that % could name', v_found.channel, v_found.account, v_found.external_id
            using errcode = 'check_violation',
            detail = 'Nothing was saved: no row of a report would ever match it.',
            hint = case v_found.channel
                when 'search_console' then
                    'The account is a property as Search Console writes it (sc-domain:site.nl or https://www.site.nl/), and the '
                    'external id a path (/schilder/utrecht) or, for another host of a domain property, //shop.site.nl/schilder.'
                else
                    'The external id is a microsite''s host (schilder-utrecht.nl, an international name in its xn-- form) or '
                    'pages of the main site (path://www.site.nl/schilder/utrecht).'
            end;
    end if;

    select
        one.channel,
        one.account,
        one.external_id,
        two.account as other_account,
        two.external_id as other_external_id
    into v_found
    from private.source_overlaps() as o
    inner join public.channel_sources as one on o.id = one.id
    inner join public.channel_sources as two on o.other_id = two.id
    where exists (select from changed as c where c.id in (o.id, o.other_id))
    order by o.id, o.other_id
    limit 1;
    if found then
        raise exception 'two sources of % cover the same pages: % in % and % in %',
            v_found.channel, v_found.external_id, v_found.account, v_found.other_external_id, v_found.other_account
            using errcode = 'exclusion_violation',
            detail = 'Nothing was saved: a click on these pages would be counted twice, or one of the two would never count.',
            hint = case
                when v_found.account = v_found.other_account
                    then 'Keep one of the two: capitals, slashes at the end, percent-encoding and www. make no difference.'
                when v_found.channel = 'search_console'
                    then 'Keep the pages in one property: set valid_to or is_active of the other row.'
                else
                    'Keep them in one property, or name the host of each (path://www.site.nl/prefix); or set valid_to or '
                    'is_active of the other row.'
            end;
    end if;
    return null;
end
$$;

create trigger guard_added after insert on public.channel_sources
referencing new table as changed
for each statement execute function private.guard_channel_sources();
create trigger guard_changed after update on public.channel_sources
referencing new table as changed
for each statement execute function private.guard_channel_sources();

revoke all on function private.source_host(text), private.source_path(text), private.source_address(text, text, text),
private.source_paths_above(text), private.source_overlaps(), private.guard_channel_sources()
from public, anon, authenticated, service_role, lead_pipeline;

comment on table public.channel_sources is
'Which campaign, pages or microsite belong to which segment. google_ads: customer id, campaign id. search_console: site URL, '
'prefix of the page path on the site''s own host (the longest wins), or //host/prefix for another host of a domain property. '
'ga4: property id, host name of a microsite, or path://host/prefix on a main site; path:/prefix leaves the host to the '
'other rows of the property and the sites of search_console, and without any to the only host that has sessions. Hosts and paths are '
'compared in one spelling: without www., port, capitals, doubled or closing slashes, percent-encoding that says the same, query '
'and fragment. Two rows that would count one click twice are refused.';
