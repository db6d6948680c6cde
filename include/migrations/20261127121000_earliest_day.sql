-- The earliest day that lead_stats restates: a mistyped year in a range is refused, and not worked through from the year 1 on.

set local lock_timeout = '5s';

-- A constant default: no row is rewritten. No later than this, so that no scheduled run of two months ever meets it.
alter table public.orchestration_settings
add column earliest_day date not null default date '2015-01-01',
add constraint orchestration_settings_earliest_day_check check (
    earliest_day between date '1990-01-01' and date '2026-01-01'
) not valid;

comment on column public.orchestration_settings.earliest_day is
'A run of lead_stats over days before this one is refused. Set it to the first day of which the company has leads.';
