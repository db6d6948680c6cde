-- A finding knows how many days the window had that showed it: a narrower one of the same days says less, and rewrites nothing.

set local lock_timeout = '5s';

-- No default: no row is rewritten, and of what was found before it is not known.
alter table public.pipeline_findings add column evidence_days integer;

comment on column public.pipeline_findings.evidence_days is
'Where there is an evidence_date: how many days the check looked at that wrote detail; 100000 = all; NULL = not known. While it is '
'open, a check of fewer days that shows nothing newer leaves detail as it is.';

grant update (evidence_days) on public.pipeline_findings to lead_pipeline;
