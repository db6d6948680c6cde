-- Grain: one budget or campaign and day on which the account's change history and the log tell two stories.
-- Why: the log is the proof of what was changed, so it is proved by the account itself. Both ways: a change in our name that the log
-- lacks, and a change of the log that the account does not know. What the history no longer reaches stays open for a person.
with changes as (
    select
        given.resource,
        given.at,
        given.by,
        given.is_ours,
        given.old_value,
        given.new_value
    from jsonb_to_recordset(%(changes)s::jsonb) as given (
        resource text,
        at timestamptz,
        by text,
        is_ours boolean,
        old_value numeric,
        new_value numeric
    )
),

-- What was done in an account before it was ours to steer is nobody's row in the log.
span as (
    select
        min(created_at) as onboarded_at,
        (%(since)s::timestamptz at time zone 'Europe/Amsterdam')::date as first_day
    from channel_sources
    where channel = %(channel)s and account = %(account)s
),

-- Google's clock and ours are not one, and what was sent without an answer may take effect after its row was closed.
claims as (
    select
        log.id,
        log.segment_id,
        segments.code,
        log.external_id,
        log.old_value,
        log.new_value,
        log.status,
        log.error_detail,
        log.created_at,
        log.closed_at,
        log.dag_run_id,
        log.created_at - interval '5 minutes' as earliest,
        coalesce(log.closed_at, now()) + interval '10 minutes' as latest
    from channel_orchestration_log as log
    inner join lead_segments as segments on log.segment_id = segments.id
    cross join span
    where
        log.channel = %(channel)s
        and log.account = %(account)s
        and log.kind in ('plan', 'revert')
        and log.decision_date >= span.first_day - 1
),

owners as (
    {% include 'reading/edited_budgets.sql' %}
),

not_logged as (
    select
        changes.resource,
        changes.by,
        (changes.at at time zone 'Europe/Amsterdam')::date as day,
        format(
            '%%s at %%s',
            case
                when changes.new_value is null then 'a setting'
                else format('%%s → %%s', coalesce(round(changes.old_value, 2)::text, '?'), round(changes.new_value, 2))
            end,
            to_char(changes.at at time zone 'Europe/Amsterdam', 'HH24:MI:SS')
        ) as words,
        changes.at,
        changes.new_value,
        (
            select string_agg(format('%%s (%%s)', claims.id, claims.status), ', ' order by claims.created_at)
            from claims
            where
                claims.external_id = changes.resource
                and claims.new_value = changes.new_value
                and changes.at between claims.earliest and claims.latest
        ) as refused
    from changes
    cross join span
    where
        changes.is_ours
        and changes.at >= span.onboarded_at
        and not exists (
            select 1
            from claims
            where
                claims.external_id = changes.resource
                and claims.new_value = changes.new_value
                and claims.status in ('pending', 'success')
                and changes.at between claims.earliest and claims.latest
        )
),

not_in_history as (
    select claims.*
    from claims
    where
        claims.status = 'success'
        and claims.earliest >= %(since)s::timestamptz
        -- Google shows a change up to some minutes later.
        and claims.latest < %(until)s::timestamptz
        and not exists (
            select 1
            from changes
            where
                changes.resource = claims.external_id
                and changes.is_ours
                and changes.new_value = claims.new_value
                and changes.at between claims.earliest and claims.latest
        )
        -- A budget that had the amount already, because of a person or of credentials that we had then, was not changed.
        and not coalesce(
            (
                select changes.new_value = claims.new_value
                from changes
                where
                    changes.resource = claims.external_id
                    and changes.new_value is not null
                    and changes.at <= claims.latest
                order by changes.at desc
                limit 1
            ),
            claims.error_detail = 'already in force',
            false
        )
),

found as (
    select
        'change_not_logged' as name,
        'stop' as level,
        owners.segment_id,
        %(channel)s::text as channel,
        not_logged.day as date,
        %(account)s::text || '/' || not_logged.resource as subject,
        format(
            'The change history of account %%s has changes of %%s%%s that were made with our own credentials (%%s) and are not in '
            'the log: %%s.%%s',
            %(account)s::text,
            not_logged.resource,
            coalesce(' of ' || owners.code, ''),
            min(not_logged.by),
            string_agg(not_logged.words, ', ' order by not_logged.at),
            coalesce(' The log says otherwise of row ' || string_agg(not_logged.refused, ', ') || '.', '')
        ) as detail,
        %(advice)s::jsonb ->> 'change_not_logged' as remediation,
        null::date as evidence_date,
        (array_agg(not_logged.new_value order by not_logged.at desc) filter (where not_logged.new_value is not null))[1] as amount
    from not_logged
    left join owners on not_logged.resource = owners.resource
    group by not_logged.resource, not_logged.day, owners.segment_id, owners.code
    union all
    select
        'change_not_in_history',
        'stop',
        lacking.segment_id,
        %(channel)s::text,
        (lacking.created_at at time zone 'Europe/Amsterdam')::date,
        %(account)s::text || '/' || lacking.external_id,
        format(
            'Row %%s of the log says that budget %%s of %%s was set from %%s to %%s at %%s, by run %%s. The change history of '
            'account %%s has no such change.',
            lacking.id, lacking.external_id, lacking.code, round(lacking.old_value, 2), round(lacking.new_value, 2),
            to_char(lacking.closed_at at time zone 'Europe/Amsterdam', 'YYYY-MM-DD HH24:MI:SS'),
            coalesce(lacking.dag_run_id, '?'), %(account)s::text
        ),
        %(advice)s::jsonb ->> 'change_not_in_history',
        null,
        lacking.new_value
    from not_in_history as lacking
    union all
    select
        stored.name,
        stored.level,
        stored.segment_id,
        stored.channel,
        stored.date,
        stored.subject,
        stored.detail,
        %(advice)s::jsonb ->> stored.name,
        stored.evidence_date,
        stored.amount
    from pipeline_findings as stored
    cross join span
    where
        stored.name in ('change_not_logged', 'change_not_in_history')
        and stored.channel = %(channel)s
        and starts_with(stored.subject, %(account)s::text || '/')
        and stored.level = 'stop'
        and stored.resolved_at is null
        and stored.date <= span.first_day
),

checked as (
    select
        looked_for.name,
        %(channel)s::text as channel,
        %(account)s::text as account,
        '-infinity'::date as first,
        'infinity'::date as last
    from (values ('change_not_logged'), ('change_not_in_history')) as looked_for (name)
),

{% include 'findings/record_found.sql' %}
