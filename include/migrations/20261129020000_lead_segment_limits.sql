-- lead_segment_limits: the limits of each segment by its code, and who changed what of them last.

set local lock_timeout = '5s';

-- View (invoker: the policies of the reader apply) --------------------------------------------------------------------

create view public.lead_segment_limits
with (security_invoker = true) as
select
    s.code,
    l.channel,
    l.is_automated,
    l.min_daily_budget,
    l.max_daily_budget,
    l.max_increase_pct,
    l.max_decrease_pct,
    l.cooldown_days,
    c.column_name as changed,
    c.old_value as changed_from,
    c.new_value as changed_to,
    c.changed_by,
    c.changed_at
from public.lead_segment_channels as l
inner join public.lead_segments as s on l.segment_id = s.id
left join lateral (
    select
        m.column_name,
        m.old_value,
        m.new_value,
        m.changed_by,
        m.changed_at
    from public.limit_changes as m
    where
        m.segment_id = l.segment_id
        and m.channel = l.channel
        and m.table_name = 'lead_segment_channels'
    order by m.changed_at desc, m.id desc
    limit 1
) as c on true;

comment on view public.lead_segment_limits is
'One row per segment and channel: its limits as in lead_segment_channels, and the last change of one of them, from limit_changes.';
comment on column public.lead_segment_limits.code is 'Of the segment, active or not.';
comment on column public.lead_segment_limits.changed is 'The limit that was changed last; NULL = none was since changes are kept.';
comment on column public.lead_segment_limits.changed_from is 'NULL = it had no value, or the row is new.';
comment on column public.lead_segment_limits.changed_to is 'NULL = it has no value any more, which is unknown and holds the budget.';
comment on column public.lead_segment_limits.changed_by is
'E-mail or user id of whoever was signed in; of a direct connection, its database role.';

-- Privileges -----------------------------------------------------------------------------------------------------------

revoke all on public.lead_segment_limits from public, anon, authenticated, service_role, lead_pipeline;
grant select on public.lead_segment_limits to authenticated, service_role;
