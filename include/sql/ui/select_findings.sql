-- Grain: one open finding, the worst first, of at most as many as a page shows; of one segment, or of all.
-- Why: what is wrong, since when, and what to do. Texts come apart, because they hold words from outside.
select
    json_build_object(
        'name', findings.name,
        'level', findings.level,
        'segment', segments.code,
        'branch', segments.branch,
        'region', segments.region,
        'channel', findings.channel,
        'date', findings.date,
        'evidence_date', findings.evidence_date,
        'amount', trim_scale(findings.amount),
        'first_seen', findings.first_seen,
        'last_seen', findings.last_seen
    )::text as entry,
    findings.name,
    findings.subject,
    findings.detail,
    findings.remediation
from pipeline_findings as findings
left join lead_segments as segments on findings.segment_id = segments.id
where
    findings.resolved_at is null
    and (%(segment)s::uuid is null or findings.segment_id = %(segment)s::uuid)
order by
    array_position(array['stop', 'warn', 'info'], findings.level),
    findings.name,
    segments.code nulls first,
    findings.id
limit %(rows)s
