-- Grain: one finding about the partners of a segment as the adapter gives them now, on the latest whole day only.
-- Why: recorded beside the capacity itself, so that what was read and what is said of it are of the same moment.
with day as (
    select %(last)s::date as date
    where %(last)s::date = lead_today() - 1
),

partners as ({% include 'lead_stats/select_partner_capacity.sql' %}
),

found as (
    select
        'segment_without_partners' as name,
        'warn' as level,
        segments.id as segment_id,
        'partner_capacity' as channel,
        null::date as date,
        null::text as subject,
        format('%%s has no active partner: its capacity is 0, and its budget goes to its floor step by step.', segments.code)
            as detail,
        %(advice)s::jsonb ->> 'segment_without_partners' as remediation,
        day.date as evidence_date,
        null::numeric as amount
    from lead_segments as segments
    cross join day
    where
        segments.is_active
        and not exists (
            select 1
            from partners
            where partners.segment_id = segments.id
        )
    union all
    select
        'missing_capacity',
        'stop',
        partners.segment_id,
        'partner_capacity',
        null,
        null,
        format(
            'It is unknown how many leads %%s of the partners of %%s take (%%s); its budget is held.',
            count(*),
            partners.code,
            'partner ' || array_to_string((array_agg(partners.partner_id order by partners.partner_id))[:10], ', ')
        ),
        %(advice)s::jsonb ->> 'missing_capacity',
        day.date,
        null
    from partners
    cross join day
    where partners.daily_leads is null
    group by partners.segment_id, partners.code, day.date
    union all
    select
        'capacity_impossible',
        'stop',
        partners.segment_id,
        'partner_capacity',
        null,
        'partner ' || partners.partner_id,
        format(
            'Partner %%s of %%s takes %%s leads per day, which is impossible; it was left out, and the segment''s budget is held.',
            partners.partner_id, partners.code,
            case when max(partners.daily_leads) = 'NaN' then 'no number of' else max(partners.daily_leads)::text end
        ),
        %(advice)s::jsonb ->> 'capacity_impossible',
        day.date,
        nullif(max(partners.daily_leads), 'NaN')
    from partners
    cross join day
    where not partners.is_possible
    group by partners.segment_id, partners.code, partners.partner_id, day.date
    union all
    select
        'capacity_impossible',
        'stop',
        partners.segment_id,
        'partner_capacity',
        null,
        null,
        format(
            'The partners of %%s take %%s leads per day together, which is impossible; its budget is held.',
            partners.code, sum(partners.daily_leads)
        ),
        %(advice)s::jsonb ->> 'capacity_impossible',
        day.date,
        sum(partners.daily_leads)
    from partners
    cross join day
    group by partners.segment_id, partners.code, day.date
    having bool_and(partners.is_possible) and sum(partners.daily_leads) > 2147483647
    union all
    select
        'absence_impossible',
        'warn',
        partners.segment_id,
        'partner_capacity',
        null,
        'partner ' || partners.partner_id,
        format(
            'Partner %%s of %%s is announced to be away %%s, which is impossible; that was ignored, and its capacity counts.',
            partners.partner_id, partners.code, partners.impossible_absence
        ),
        %(advice)s::jsonb ->> 'absence_impossible',
        day.date,
        null
    from partners
    cross join day
    where partners.impossible_absence is not null
),

-- What holds now replaces whatever was found on any day before.
checked as (
    select
        names.name,
        'partner_capacity' as channel,
        null::text as account,
        '-infinity'::date as first,
        day.date as last
    from day
    cross join (
        values ('segment_without_partners'), ('missing_capacity'), ('capacity_impossible'), ('absence_impossible')
    ) as names (name)
),

{% include 'findings/record_found.sql' %}
