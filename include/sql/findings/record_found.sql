-- noqa: disable=all
-- Grain: one finding, known by (name, segment, channel, date, subject); the worst where one is found twice. The end of a statement
-- whose CTEs are `found (name, level, segment_id, channel, date, subject, detail, remediation, evidence_date, amount)` and
-- `checked (name, channel, account, first, last)`: what was looked for, NULL = any; returns the number of findings.
-- Why: one form for every check, and each check closes what it no longer finds. Ordered, so that two runs never deadlock.
{% set narrower -%}
pipeline_findings.resolved_at is null
            and excluded.evidence_date <= pipeline_findings.evidence_date
            and excluded.evidence_days < pipeline_findings.evidence_days
{%- endset %}
recorded as (
    insert into pipeline_findings (
        name, level, segment_id, channel, date, subject, detail, remediation, evidence_date, amount, evidence_days
    )
    select distinct on (found.name, found.segment_id, found.channel, found.date, found.subject)
        found.name,
        found.level,
        found.segment_id,
        found.channel,
        found.date,
        found.subject,
        found.detail,
        found.remediation,
        found.evidence_date,
        found.amount,
        case
            when found.evidence_date is not null then (
                select max(case when isfinite(checked.first) and isfinite(checked.last) then checked.last - checked.first + 1 else 100000 end)
                from checked
                where
                    checked.name = found.name
                    and (checked.channel is null or checked.channel = found.channel)
                    and (
                        checked.account is null
                        or found.subject = checked.account
                        or starts_with(found.subject, checked.account || '/')
                    )
            )
        end
    from found
    order by
        found.name,
        found.segment_id,
        found.channel,
        found.date,
        found.subject,
        array_position(array['stop', 'warn', 'info'], found.level)
    on conflict (name, segment_id, channel, date, subject) do update
    set
        -- A person who lowered the level of an open finding has answered it.
        level = case
            when pipeline_findings.level = 'info' and pipeline_findings.resolved_at is null then 'info'
            else excluded.level
        end,
        -- A narrower window that shows nothing newer has seen it again, and knows less of it.
        detail = case when {{ narrower }} then pipeline_findings.detail else excluded.detail end,
        remediation = case when {{ narrower }} then pipeline_findings.remediation else excluded.remediation end,
        evidence_date = case when {{ narrower }} then pipeline_findings.evidence_date else excluded.evidence_date end,
        amount = case when {{ narrower }} then pipeline_findings.amount else excluded.amount end,
        evidence_days = case when {{ narrower }} then pipeline_findings.evidence_days else excluded.evidence_days end,
        last_seen = greatest(pipeline_findings.last_seen, now()),
        resolved_at = null
    -- What an older window shows is older news than what is open already.
    where
        pipeline_findings.resolved_at is not null
        or pipeline_findings.evidence_date is null
        or excluded.evidence_date >= pipeline_findings.evidence_date
        or pipeline_findings.evidence_date <= (
            select max(checked.last) from checked where checked.name = pipeline_findings.name
        )
    returning pipeline_findings.id
),

-- A row that another run holds is being seen again: it is left to the next check. Taken only after everything above is locked.
gone as materialized (
    select stored.id
    from pipeline_findings as stored
    where
        (select count(*) from recorded) >= 0
        and stored.resolved_at is null
        and stored.last_seen < now()
        and exists (
            select 1
            from checked
            where
                checked.name = stored.name
                and (checked.channel is null or checked.channel = stored.channel)
                and (
                    checked.account is null
                    or stored.subject = checked.account
                    or starts_with(stored.subject, checked.account || '/')
                )
                and (
                    coalesce(stored.date, stored.evidence_date) is null
                    or coalesce(stored.date, stored.evidence_date) between checked.first and checked.last
                )
        )
        and not exists (select 1 from recorded where recorded.id = stored.id)
    for no key update of stored skip locked
),

resolved as (
    update pipeline_findings
    set resolved_at = now()
    from gone
    where pipeline_findings.id = gone.id
)

select count(*) as findings from found
