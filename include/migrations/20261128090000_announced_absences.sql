-- What partners announced: who of them is away today and in the coming week, beside what they take.

set local lock_timeout = '5s';

-- Nullable and without a default: no row is rewritten, and a day of the past says that nothing was announced.
alter table public.channel_metrics
add column capacity_absent_leads integer,
add column capacity_absent_week numeric(16, 6),
add column capacity_absent_until date,
add constraint channel_metrics_capacity_absent_check check (
    capacity_absent_leads >= 0 and capacity_absent_week >= 0 and capacity_absent_week < 'Infinity'
) not valid;

alter table public.lead_generation_stats
add column capacity_absent_leads integer,
add column capacity_absent_week numeric(16, 6),
add column capacity_absent_until date,
add constraint lead_generation_stats_capacity_absent_check check (
    capacity_absent_leads >= 0 and capacity_absent_week >= 0 and capacity_absent_week < 'Infinity'
) not valid;

comment on column public.lead_generation_stats.capacity_absent_leads is
'Leads that partners who were away would have taken besides capacity_total_leads. NULL = no absence was announced for that week.';
comment on column public.lead_generation_stats.capacity_absent_week is
'The same per day, mean of the seven days that began on the morning of the reading.';
comment on column public.lead_generation_stats.capacity_absent_until is
'Last day of the latest of these absences; NULL beside a number = until further notice.';
