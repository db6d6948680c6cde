-- Grain: one finding about the leads of the window: one per place that is no segment, per word that means nothing, per segment.
-- Why: what is not counted as it should be is named with its size and days, and closes once no lead of the window shows it. Words
-- are shown in their plain form, and only where they look like a word: a form's free text may hold a person's data.
{% set with_places = true -%}
with {% include 'reading/leads.sql' %}

dated as materialized (
    select
        counted.*,
        (created_at at time zone 'Europe/Amsterdam')::date as date
    from counted
    where segment_id is null or meaning is null or not is_source_known
),

spelled as (
    select distinct
        country,
        branch,
        region
    from dated
    where segment_id is null
),

{% include 'reading/places.sql' %}

nowhere as (
    select
        lead_postal_country(dated.postal_code, places.code) as code,
        places.branch_name,
        places.region_name,
        left(lead_postal_code(dated.postal_code, places.code), 2) as prefix,
        dated.date
    from dated
    inner join places
        on dated.country = places.country and dated.branch = places.branch and dated.region = places.region
    where dated.segment_id is null
),

shown as (
    select
        date,
        case when code ~ '^[A-Z]{2,3}$' then code else 'a country that is no word' end as code,
        case
            when coalesce(branch_name, '') = '' then 'no branch'
            when branch_name ~ '^[a-z][a-z-]{0,39}$' then 'branch ' || branch_name
            else 'a branch that is no word'
        end as branch,
        case
            when coalesce(region_name, '') = '' then 'no region'
            when region_name ~ '^[a-z][a-z-]{0,39}$' then 'region ' || region_name
            else 'a region that is no word'
        end as region,
        case when prefix ~ '^[0-9A-Z]{2}$' then 'postal codes ' || prefix || '…' else 'no postal code' end as prefix,
        case
            when coalesce(branch_name, '') = '' then 'They have no branch.'
            when not exists (select 1 from areas where nowhere.code = areas.code)
                then 'There is no active segment in that country.'
            when not exists (select 1 from areas where nowhere.code = areas.code and nowhere.branch_name = areas.branch_name)
                then 'There is no active segment of that branch.'
            else 'Neither the region nor the postal code fits one segment of that branch alone.'
        end as why
    from nowhere
),

per_day as (
    select
        code,
        branch,
        region,
        prefix,
        why,
        date,
        count(*) as leads
    from shown
    group by code, branch, region, prefix, why, date
),

per_place as (
    select
        code,
        branch,
        region,
        prefix,
        why,
        sum(leads) as leads,
        max(date) as newest,
        string_agg(to_char(date, 'DD-MM') || ': ' || leads, ', ' order by date desc) as days,
        row_number() over (order by sum(leads) desc, code, branch, region, prefix) as place
    from per_day
    group by code, branch, region, prefix, why
),

unmapped as (
    select
        'lead_status_unknown' as name,
        case
            when status = '' then 'no status'
            when lead_slug(status) ~ '^[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,3}$' and lead_slug(status) !~ '[0-9]{4}' then lead_slug(status)
            else 'a status that is no word'
        end as word,
        date
    from dated
    where meaning is null
    union all
    select
        'lead_source_unknown',
        case
            when
                lead_slug(source_channel) ~ '^[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,3}$'
                and lead_slug(source_channel) !~ '[0-9]{4}'
                then lead_slug(source_channel)
            else 'a source that is no word'
        end,
        date
    from dated
    where not is_source_known
),

per_word as (
    select
        name,
        word,
        sum(leads) as leads,
        max(date) as newest,
        string_agg(to_char(date, 'DD-MM') || ': ' || leads, ', ' order by date desc) as days,
        row_number() over (partition by name order by sum(leads) desc, word) as place
    from (
        select
            name,
            word,
            date,
            count(*) as leads
        from unmapped
        group by name, word, date
    ) as daily
    group by name, word
),

found as (
    select
        'leads_without_segment' as name,
        'warn' as level,
        null::uuid as segment_id,
        'leads' as channel,
        null::date as date,
        code || ', ' || branch || ', ' || region || ', ' || prefix as subject,
        format(
            '%%s leads of %%s, %%s, %%s, %%s belong to no segment. %%s By day: %%s.', leads, code, branch, region, prefix, why, days
        ) as detail,
        %(advice)s::jsonb ->> 'leads_without_segment' as remediation,
        newest as evidence_date,
        leads as amount
    from per_place
    where place <= 50
    union all
    select
        'leads_without_segment',
        'warn',
        null,
        'leads',
        null,
        'other places',
        format(
            '%%s leads of %%s more places belong to no segment. They are named once the larger places, which are findings of their '
            'own, are repaired.', sum(leads), count(*)
        ),
        %(advice)s::jsonb ->> 'leads_without_segment',
        max(newest),
        sum(leads)
    from per_place
    where place > 50
    having count(*) > 0
    union all
    select
        name,
        'warn',
        null,
        'leads',
        null,
        word,
        case name
            when 'lead_status_unknown'
                then format('%%s leads have the status %%s, which lead_spellings does not know; they are counted as pending. By day: %%s.', leads, word, days)
            else format('%%s leads have the source %%s, which lead_spellings does not know; it counts as unknown. By day: %%s.', leads, word, days)
        end,
        %(advice)s::jsonb ->> name,
        newest,
        leads
    from per_word
    where place <= 50
    union all
    select
        name,
        'warn',
        null,
        'leads',
        null,
        'other words',
        format(
            '%%s leads have %%s more words that lead_spellings does not know. They are named once the more frequent ones, which are '
            'findings of their own, are added.', sum(leads), count(*)
        ),
        %(advice)s::jsonb ->> name,
        max(newest),
        sum(leads)
    from per_word
    where place > 50
    group by name
    union all
    select
        'leads_without_source',
        'warn',
        segments.id,
        'leads',
        null,
        null,
        format(
            '%%s of the last 7 days'' leads of %%s (%%s) have no source channel; what Google Ads brought is unknown.',
            sum((metrics.leads_by_source -> 'unknown' ->> 'generated')::int),
            segments.code,
            round(100.0 * sum((metrics.leads_by_source -> 'unknown' ->> 'generated')::int) / sum(metrics.leads_generated)) || ' %%'
        ),
        %(advice)s::jsonb ->> 'leads_without_source',
        %(last)s::date,
        sum((metrics.leads_by_source -> 'unknown' ->> 'generated')::int)
    from lead_segments as segments
    inner join channel_metrics as metrics
        on
            segments.id = metrics.segment_id
            and metrics.channel = 'leads'
            and metrics.date between %(last)s::date - 6 and %(last)s::date
    -- The last 7 days are those up to yesterday, whatever days a run restates.
    where segments.is_active and %(last)s::date = lead_today() - 1
    group by segments.id, segments.code
    having sum((metrics.leads_by_source -> 'unknown' ->> 'generated')::int) > %(most_without_source)s::numeric * sum(metrics.leads_generated)
),

-- The latest window of a whole run (30 days) replaces whatever was found before it; an older or a shorter one is about its own days.
checked as (
    select
        looked_for.name,
        'leads' as channel,
        null::text as account,
        case
            when %(last)s::date = lead_today() - 1 and %(first)s::date <= %(last)s::date - 27 then '-infinity'::date
            else %(first)s::date
        end as first,
        %(last)s::date as last
    from (
        values ('leads_without_segment'), ('lead_status_unknown'), ('lead_source_unknown')
    ) as looked_for (name)
    union all
    select
        'leads_without_source',
        'leads',
        null,
        '-infinity'::date,
        %(last)s::date
    where %(last)s::date = lead_today() - 1
),

{% include 'findings/record_found.sql' %}
