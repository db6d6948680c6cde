-- One spelling of everything that people and forms write: functions that take the accidents of typing away, and a table in which
-- a person says what a spelling means. Leads and capacity are read through the same ones.

set local lock_timeout = '5s';

-- Functions ------------------------------------------------------------------------------------------------------------

-- Blanks, dashes and full-width characters of Unicode are what forms really send. lead_slug is asked once per spelling. The others
-- are asked once per lead: their bodies are bound here, once and for all, so they need no search_path, which would keep a statement
-- over a million leads from taking the body in.

create function public.lead_slug(p_text text) returns text
language sql immutable parallel safe
set search_path = ''
as $$
    select pg_catalog.btrim(
        pg_catalog.regexp_replace(
            pg_catalog.lower(
                pg_catalog.translate(
                    pg_catalog.regexp_replace(
                        pg_catalog.normalize(p_text, 'NFKD'), '[\u0300-\u036f\u00ad\u200b-\u200f\u2060\ufeff]', '', 'g'
                    ),
                    'ØøŁłĐđßıÆæŒœ',
                    'OoLlDdsiAaOo'
                )
            ),
            '[^a-z0-9]+',
            '-',
            'g'
        ),
        '-'
    )
$$;
comment on function public.lead_slug(text) is
'A branch, region or any other word without accents, capitals, invisible characters and kinds of blank: Fryslân = fryslan, '
'Noord_Brabant = noord-brabant. Empty for what has no letter or digit; NULL for NULL.';

create function public.lead_postal_code(p_code text, p_country text) returns text
language sql immutable parallel safe
return pg_catalog.regexp_replace(
    pg_catalog.upper(
        pg_catalog.regexp_replace(pg_catalog.normalize(p_code, 'NFKC'), '[^0-9A-Za-z]+', '', 'g')
    ),
    -- Only where a code begins with a digit: in Britain B1 is Birmingham.
    case when p_country in ('NL', 'BE', 'DE', 'LU', 'FR', 'AT') then '^(NL|BE?|DE?|LU?|FR?|AT?)(?=[0-9])' else '^$' end,
    ''
);
comment on function public.lead_postal_code(text, text) is
'A postal code of a country (two letters) in capitals, without blanks, signs and the country''s own prefix: nl-3511 ab = 3511AB.';

create function public.lead_postal_country(p_code text, p_country text) returns text
language sql immutable parallel safe
return case
    when p_country not in ('NL', 'BE', 'DE', 'LU', 'FR', 'AT') or p_code ~ '^[0-9]' then p_country
    else coalesce(
        case pg_catalog.substring(
            pg_catalog.upper(pg_catalog.regexp_replace(pg_catalog.normalize(p_code, 'NFKC'), '[^0-9A-Za-z]+', '', 'g')),
            '^(NL|BE?|DE?|LU?|FR?|AT?)[0-9]'
        )
            when 'NL' then 'NL' when 'BE' then 'BE' when 'B' then 'BE' when 'DE' then 'DE' when 'D' then 'DE'
            when 'LU' then 'LU' when 'L' then 'LU' when 'FR' then 'FR' when 'F' then 'FR' when 'AT' then 'AT' when 'A' then 'AT'
        end,
        p_country
    )
end;
comment on function public.lead_postal_country(text, text) is
'The country that a postal code names itself (B-3500 = BE), else the country given.';

create function public.lead_time(p_time timestamptz) returns timestamptz
language sql immutable parallel safe
return p_time;
comment on function public.lead_time(timestamptz) is 'A moment as it is: what the adapter asks of leads.created_at.';

create function public.lead_time(p_time timestamp) returns timestamptz
language sql immutable parallel safe
return pg_catalog.timezone('Europe/Amsterdam', p_time);
comment on function public.lead_time(timestamp) is
'A column without a time zone is read as the clock in Amsterdam. The hour that an autumn night has twice is the first of the two.';

revoke all on function
public.lead_slug(text),
public.lead_postal_code(text, text),
public.lead_postal_country(text, text),
public.lead_time(timestamptz),
public.lead_time(timestamp)
from public, anon, authenticated, service_role;
grant execute on function
public.lead_slug(text),
public.lead_postal_code(text, text),
public.lead_postal_country(text, text),
public.lead_time(timestamptz),
public.lead_time(timestamp)
to authenticated, service_role, lead_pipeline;

-- Table ----------------------------------------------------------------------------------------------------------------

create table public.lead_spellings (
    kind text not null,
    spelling text not null,
    country text,
    meaning text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint lead_spellings_kind_check check (kind in ('country', 'branch', 'region', 'status', 'source_channel')),
    constraint lead_spellings_spelling_check check (length(spelling) <= 200),
    constraint lead_spellings_country_check check (
        country is null or (country ~ '^[A-Z]{2}$' and kind in ('branch', 'region'))
    ),
    constraint lead_spellings_meaning_check check (
        case kind
            when 'country' then meaning ~ '^[A-Z]{2}$'
            when 'status' then meaning in ('accepted', 'rejected', 'pending', 'not_a_lead')
            when 'source_channel' then meaning ~ '^[a-z][a-z0-9_]*$'
            else meaning ~ '^[a-z0-9]+([_-][a-z0-9]+)*$'
        end
    )
);

comment on table public.lead_spellings is
'What a spelling means, of leads and of capacity alike. A person adds a row, and the next lead_stats reads its whole window by it.';
comment on column public.lead_spellings.kind is 'country, branch, region, status or source_channel.';
comment on column public.lead_spellings.spelling is
'As it is written, or as a finding shows it: accents, capitals, blanks and signs make no difference. Empty = nothing was filled in.';
comment on column public.lead_spellings.country is 'Of a branch or a region: only within this country. NULL = in every country.';
comment on column public.lead_spellings.meaning is
'country: two letters. branch, region: as in lead_segments. status: accepted, rejected, pending or not_a_lead. source_channel: '
'google_ads for what Google Ads brought, any other name for what is free, unknown for what says nothing.';

-- Indexes --------------------------------------------------------------------------------------------------------------

-- One meaning per spelling, however it is typed. lead_slug is immutable: what it gives may only change with this index.
create unique index lead_spellings_key on public.lead_spellings (kind, coalesce(country, ''), public.lead_slug(spelling));

-- Rows: what no company has to say -------------------------------------------------------------------------------------

insert into public.lead_spellings (kind, spelling, country, meaning) values
('country', '', null, 'NL'),
('country', 'NLD', null, 'NL'),
('country', 'Nederland', null, 'NL'),
('country', 'Netherlands', null, 'NL'),
('country', 'The Netherlands', null, 'NL'),
('country', 'Holland', null, 'NL'),
('country', 'BEL', null, 'BE'),
('country', 'België', null, 'BE'),
('country', 'Belgique', null, 'BE'),
('country', 'Belgium', null, 'BE'),
('country', 'DEU', null, 'DE'),
('country', 'Deutschland', null, 'DE'),
('country', 'Duitsland', null, 'DE'),
('country', 'Germany', null, 'DE'),
('country', 'LUX', null, 'LU'),
('country', 'Luxemburg', null, 'LU'),
('country', 'Luxembourg', null, 'LU'),
('country', 'UK', null, 'GB'),
('region', 'Fryslân', 'NL', 'friesland'),
('status', 'accepted', null, 'accepted'),
('status', 'geaccepteerd', null, 'accepted'),
('status', 'rejected', null, 'rejected'),
('status', 'declined', null, 'rejected'),
('status', 'afgewezen', null, 'rejected'),
('status', 'pending', null, 'pending'),
('status', 'new', null, 'pending'),
('status', 'nieuw', null, 'pending'),
('status', 'open', null, 'pending'),
('status', 'invalid', null, 'not_a_lead'),
('status', 'ongeldig', null, 'not_a_lead'),
('status', 'spam', null, 'not_a_lead'),
('status', 'test', null, 'not_a_lead'),
('status', 'duplicate', null, 'not_a_lead'),
('status', 'dubbel', null, 'not_a_lead'),
('source_channel', '', null, 'unknown'),
('source_channel', 'unknown', null, 'unknown'),
('source_channel', 'onbekend', null, 'unknown'),
('source_channel', 'none', null, 'unknown'),
('source_channel', 'not set', null, 'unknown'),
('source_channel', 'null', null, 'unknown'),
('source_channel', 'undefined', null, 'unknown'),
('source_channel', 'google_ads', null, 'google_ads'),
('source_channel', 'googleads', null, 'google_ads'),
('source_channel', 'adwords', null, 'google_ads'),
('source_channel', 'google adwords', null, 'google_ads'),
('source_channel', 'google cpc', null, 'google_ads'),
('source_channel', 'cpc google', null, 'google_ads'),
('source_channel', 'seo', null, 'seo'),
('source_channel', 'organic', null, 'seo'),
('source_channel', 'google organic', null, 'seo'),
('source_channel', 'organic search', null, 'seo'),
('source_channel', 'microsite', null, 'microsite'),
('source_channel', 'direct', null, 'direct'),
('source_channel', 'referral', null, 'referral'),
('source_channel', 'email', null, 'email'),
('source_channel', 'newsletter', null, 'email'),
('source_channel', 'nieuwsbrief', null, 'email'),
('source_channel', 'phone', null, 'phone'),
('source_channel', 'telefoon', null, 'phone'),
('source_channel', 'bing_ads', null, 'bing_ads'),
('source_channel', 'microsoft ads', null, 'bing_ads'),
('source_channel', 'facebook', null, 'facebook'),
('source_channel', 'facebook ads', null, 'facebook'),
('source_channel', 'meta ads', null, 'facebook'),
('source_channel', 'instagram', null, 'facebook'),
('source_channel', 'linkedin', null, 'linkedin');

-- Kept by the database -------------------------------------------------------------------------------------------------

create trigger set_updated_at before update on public.lead_spellings
for each row when (old.* is distinct from new.*) execute function private.set_updated_at();

-- Row level security: signed-in users read, admins insert and update, nobody deletes; the pipeline only reads ---------

alter table public.lead_spellings enable row level security;
revoke all on public.lead_spellings from public, anon, authenticated, service_role, lead_pipeline;

grant select, insert, update on public.lead_spellings to authenticated, service_role;
create policy signed_in_users_read on public.lead_spellings
for select to authenticated using (true);
create policy admins_insert on public.lead_spellings
for insert to authenticated with check ((select private.is_admin()));
create policy admins_update on public.lead_spellings
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

grant select on public.lead_spellings to lead_pipeline;
create policy pipeline_reads on public.lead_spellings
for select to lead_pipeline using (true);
