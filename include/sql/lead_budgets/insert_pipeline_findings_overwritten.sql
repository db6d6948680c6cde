-- Grain: one budget that somebody else changed lately.
-- Why: an edit between our look at the budget and our send is gone without a trace in the budget itself; a person must know.
-- The edit's time is told in whole seconds, and the claim is made in the same one.
-- It stays open until the change is reverted or another one follows: insert_pipeline_findings.sql looks for that.
with found as (
    select
        'edit_overwritten' as name,
        'warn' as level,
        log.segment_id,
        log.channel,
        null::date as date,
        log.account || '/' || log.external_id as subject,
        format(
            '%%s changed budget %%s of %%s at %%s, while it was being set from %%s to %%s; the %%s is in force.',
            %(changed_by)s::text, log.external_id, segments.code,
            to_char(%(changed_at)s::timestamptz at time zone 'Europe/Amsterdam', 'HH24:MI:SS'),
            round(log.old_value, 2), round(log.new_value, 2), round(log.new_value, 2)
        ) as detail,
        %(advice)s::jsonb ->> 'edit_overwritten' as remediation,
        log.decision_date as evidence_date,
        log.new_value as amount
    from channel_orchestration_log as log
    inner join lead_segments as segments on log.segment_id = segments.id
    where
        log.channel = %(channel)s
        and log.external_id = %(budget_id)s
        and log.status = 'success'
        and log.kind <> 'manual'
        and log.decision_date >= lead_today() - 1
        and %(changed_at)s::timestamptz between date_trunc('second', log.created_at) and log.closed_at
),

checked as (
    select
        null::text as name,
        null::text as channel,
        null::text as account,
        null::date as first,
        null::date as last
    where false
),

{% include 'findings/record_found.sql' %}
