-- A finding has an end: the check that looked for it again and no longer found it closes it.

set local lock_timeout = '5s';

-- Columns --------------------------------------------------------------------------------------------------------------

alter table public.pipeline_findings add column resolved_at timestamptz;
alter table public.pipeline_findings add column evidence_date date;

comment on column public.pipeline_findings.resolved_at is
'When a check looked for it again and no longer found it, or when a person closed it. NULL = open; seen again, it is open again.';
comment on column public.pipeline_findings.evidence_date is
'Where date is NULL: the newest day of data that shows it. A check that read that day again and found nothing closes it.';
comment on column public.pipeline_findings.level is
'stop = a person is needed; warn = a person should read it; info = kept. Set to info by a person, it stays so while it is open.';

-- Until now nothing closed a finding; what the last two days did not show again is over.
update public.pipeline_findings set resolved_at = last_seen where last_seen < now() - interval '2 days';

-- Privileges -----------------------------------------------------------------------------------------------------------

grant update (level, detail, remediation, last_seen, resolved_at, evidence_date) on public.pipeline_findings to lead_pipeline;
